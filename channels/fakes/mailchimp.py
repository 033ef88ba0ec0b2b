"""Mailchimp on loopback: an audience with its merge fields, and members that nobody puts back."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from channels.fakes.http import HttpFake, Reply

_MEMBER = re.compile(r"/3\.0/lists/([^/]+)/members/([0-9a-f]{32})")
_FIELDS = re.compile(r"/3\.0/lists/([^/]+)/merge-fields")
_KEYS = {"email_address", "status_if_new", "merge_fields", "email_type", "language", "tags", "vip", "interests"}
_NEW = ("subscribed", "unsubscribed", "cleaned", "pending", "transactional")


@dataclass(slots=True)
class Member:
    """Somebody in the audience."""

    email: str
    status: str
    merge_fields: dict[str, Any] = field(default_factory=dict)


class MailchimpFake(HttpFake):
    """Lets in who has the key, to the one audience. `members` are those in it, by the MD5 of their address.

    `tags` are its merge tags, texts where `types` does not say otherwise, of which `required` have to be there unless
    that is not to be looked at; `forgotten` are addresses that may not come back. `put_back` counts calls that would
    have set the status of somebody.
    """

    path = ""

    def __init__(self, api_key: str, list_id: str, webhook_secret: str = "") -> None:
        super().__init__()
        self._key, self._list, self._secret = api_key, list_id, webhook_secret
        self.tags = {"FNAME", "CODE", "VALUE", "QR"}
        self.types: dict[str, str] = {}
        self.required: set[str] = set()
        self.forgotten: set[str] = set()
        self.members: dict[str, Member] = {}
        self.put_back = 0

    def message_id(self, request: web.Request, body: bytes) -> str:
        """See `HttpFake`: it knows members, and no messages."""
        found = _MEMBER.fullmatch(request.path)
        return found[2] if found else ""

    def refusal(self, request: web.Request, body: bytes) -> HTTPStatus | None:
        """See `HttpFake`."""
        proof = request.headers.get("authorization", "").removeprefix("Basic ")
        _, _, key = base64.b64decode(proof).decode(errors="replace").partition(":")
        return None if key == self._key else HTTPStatus.UNAUTHORIZED

    def answered(self, request: web.Request, body: bytes, reply: Reply) -> tuple[Reply, Sequence[str]]:
        """See `HttpFake`."""
        if reply.body:
            return reply, [self.message_id(request, body)]
        fields, member = _FIELDS.fullmatch(request.path), _MEMBER.fullmatch(request.path)
        if fields and fields[1] == self._list and request.method == "GET":
            shown = [{"tag": tag, "type": self.types.get(tag, "text")} for tag in sorted(self.tags)]
            return _said(200, {"merge_fields": shown}), []
        if member is None or member[1] != self._list or request.method != "PUT":
            return _problem(404, "Resource Not Found", "The requested resource could not be found."), []
        problem = self._wrong(request, member[2], body)
        if problem is not None:
            return problem, []
        return _said(200, self._put(member[2], body)), [member[2]]

    def call(self, signed_at: int, **said: str) -> tuple[dict[str, str], bytes]:
        """The headers and the body of a webhook, as this audience would call."""
        body = urlencode({name.replace("__", "[") + ("]" if "__" in name else ""): one for name, one in said.items()})
        signature = hmac.digest(self._secret.encode(), f"{signed_at}.{body}".encode(), "sha256").hex()
        form = "application/x-www-form-urlencoded"
        return {"content-type": form, "x-mailchimp-signature": f"t={signed_at},v1={signature}"}, body.encode()

    def _wrong(self, request: web.Request, member: str, body: bytes) -> Reply | None:
        said = msgspec.json.decode(body, type=dict[str, Any])
        address, fields = str(said.get("email_address", "")), said.get("merge_fields", {})
        if "status" in said:
            self.put_back += 1
            return _problem(400, "Invalid Resource", "status would put somebody back")
        if unknown := sorted(said.keys() - _KEYS):
            return _problem(400, "Invalid Resource", f"Schema describes no {', '.join(unknown)}")
        if hashlib.md5(address.lower().encode(), usedforsecurity=False).hexdigest() != member:
            return _problem(400, "Invalid Resource", "the address is not that of the member")
        if member not in self.members and said.get("status_if_new") not in _NEW:
            return _problem(400, "Invalid Resource", "status_if_new is missing")
        if address in self.forgotten:
            return _problem(400, "Forgotten Email Not Subscribed", f"{address} was permanently deleted")
        missing = self.required - fields.keys()
        if missing and request.query.get("skip_merge_validation") != "true":
            return _problem(400, "Invalid Resource", "Your merge fields were invalid.", *sorted(missing))
        return None

    def _put(self, member: str, body: bytes) -> dict[str, Any]:
        said = msgspec.json.decode(body, type=dict[str, Any])
        known = self.members.setdefault(member, Member(said["email_address"], said.get("status_if_new", "")))
        known.merge_fields |= {tag: value for tag, value in said["merge_fields"].items() if tag in self.tags}
        return {"id": member, "email_address": known.email, "status": known.status, "merge_fields": known.merge_fields}


def _problem(status: int, title: str, detail: str, *fields: str) -> Reply:
    errors = [{"field": one, "message": "Please enter a value"} for one in fields]
    return _said(status, {"title": title, "status": status, "detail": detail, "errors": errors})


def _said(status: int, body: Any) -> Reply:
    return Reply(status, headers=(("content-type", "application/json"),), body=msgspec.json.encode(body))
