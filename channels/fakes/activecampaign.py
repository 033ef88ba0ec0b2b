"""ActiveCampaign on loopback: contacts by mailbox, fields by id and page by page, five requests a second."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web

from channels.fakes.http import HttpFake, Reply
from channels.fakes.limit import Limit

_SYNC, _FIELDS = "/api/3/contact/sync", "/api/3/fields"
_KEYS = {"email", "firstName", "lastName", "phone", "fieldValues"}
_MAILBOX = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_CHOICES = re.compile(r"\|\|(?:[^|]+\|\|)+")
_USUAL_PAGE, _LARGEST_PAGE = 20, 100


@dataclass(frozen=True, slots=True)
class FakeField:
    """A field of the account. `kind` is its type, as the API calls it."""

    id: str
    title: str
    perstag: str
    kind: str = "text"


class ActiveCampaignFake(HttpFake):
    """Lets in who has the token. `contacts` by mailbox, each with its names and the values of its fields by id.

    `fields` are those of the account; `list_replies` are used up before a page of them is shown, `listed` counts pages.
    `put_back` counts calls that would have put somebody on a list.
    """

    path = ""

    def __init__(self, token: str) -> None:
        super().__init__()
        self._token = token
        self.limit = Limit(5, 1.0)
        self.says_when = True
        self.fields = [
            FakeField("1", "Last code", "LAST_CODE"),
            FakeField("2", "Published", "PUBLISHED", "date"),
            FakeField("3", "Interests", "INTERESTS", "checkbox"),
            FakeField("4", "Seen at", "SEEN_AT", "datetime"),
        ]
        self.list_replies: deque[Reply] = deque()
        self.largest_page = _LARGEST_PAGE
        self.listed = self.put_back = 0
        self.contacts: dict[str, dict[str, Any]] = {}

    def message_id(self, request: web.Request, body: bytes) -> str:
        """See `HttpFake`: it knows contacts, and no messages."""
        return str(_contact(body).get("email", ""))

    def refusal(self, request: web.Request, body: bytes) -> HTTPStatus | None:
        """See `HttpFake`."""
        if "contactlists" in request.path.lower():
            self.put_back += 1
            return HTTPStatus.NOT_FOUND
        if request.headers.get("api-token") != self._token:
            return HTTPStatus.FORBIDDEN
        known = (request.method, request.path) in (("POST", _SYNC), ("GET", _FIELDS))
        return None if known else HTTPStatus.NOT_FOUND

    def beside(self, request: web.Request) -> Reply | None:
        """See `HttpFake`: a page of the list of fields."""
        if request.path != _FIELDS:
            return None
        self.listed += 1
        if self.list_replies:
            return self.list_replies.popleft()
        offset, size = (int(request.query.get(name, usual)) for name, usual in (("offset", 0), ("limit", _USUAL_PAGE)))
        shown = self.fields[offset : offset + min(size, self.largest_page)]
        page = [{"id": one.id, "title": one.title, "type": one.kind, "perstag": one.perstag} for one in shown]
        return self._said(200, {"fields": page, "meta": {"total": str(len(self.fields))}})

    def answered(self, request: web.Request, body: bytes, reply: Reply) -> tuple[Reply, Sequence[str]]:
        """See `HttpFake`."""
        if reply.body:
            return reply, [self.message_id(request, body)]
        contact = _contact(body)
        if (wrong := self._wrong(contact)) is not None:
            return self._said(422, {"errors": [{"title": wrong, "detail": "", "code": "field_invalid"}]}), []
        email = contact["email"]
        is_known, known = email in self.contacts, self.contacts.setdefault(email, {})
        known |= {name: contact[name] for name in contact if name not in ("email", "fieldValues")}
        known |= {one["field"]: one["value"] for one in contact.get("fieldValues", [])}
        said = {"contact": {"id": str(len(self.contacts)), "email": email}}
        return self._said(200 if is_known else 201, said), [email]

    def _wrong(self, contact: dict[str, Any]) -> str | None:
        """The words of a refusal, which name no field."""
        values, email = contact.get("fieldValues", []), contact.get("email")
        if not isinstance(email, str) or not _MAILBOX.fullmatch(email):
            return "Contact Email Address is not valid."
        if contact.keys() - _KEYS or not isinstance(values, list):
            return "The contact is not valid."
        if not all(isinstance(contact.get(name, ""), str) for name in ("firstName", "lastName", "phone")):
            return "The contact is not valid."
        kinds = {one.id: one.kind for one in self.fields}
        fit = all(
            isinstance(one, dict) and one.get("field") in kinds and _fits(one.get("value"), kinds[one["field"]])
            for one in values
        )
        return None if fit else "The field value is not valid."

    def _said(self, status: int, body: Any) -> Reply:
        limit = (("ratelimit-limit", "5"), ("content-type", "application/json"))
        return Reply(status, headers=limit, body=msgspec.json.encode(body))


def _fits(value: Any, kind: str) -> bool:
    if not isinstance(value, str):
        return False
    try:
        match kind if value else "":
            case "date":
                return date.fromisoformat(value) is not None and len(value) == 10
            case "datetime":
                return datetime.fromisoformat(value) is not None
            case "checkbox" | "listbox":
                return _CHOICES.fullmatch(value) is not None
            case _:
                return True
    except ValueError:
        return False


def _contact(body: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(body)["contact"]
    except (msgspec.DecodeError, LookupError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}
