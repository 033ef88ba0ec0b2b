"""Batch on loopback: takes what its reference allows, and says of each profile what is wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web

from channels.fakes.http import HttpFake, Reply

MOST_PROFILES = 200
_PATH = re.compile(r"/[0-9]+\.[0-9]+/profiles/update")
_SUBSCRIBING = frozenset({"$email_marketing", "$sms_marketing"})
_NATIVE = frozenset({"$email_address", "$phone_number", "$language", "$region", "$timezone"})
_NAME = re.compile(r"[A-Za-z0-9_]{1,30}|(?:date|url)\([A-Za-z0-9_]{1,30}\)")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class BatchFake(HttpFake):
    """Lets in who has the project's key.

    `invalid` are names of attributes that it does not want: it says which profile while `says_which`, and refuses whole
    requests for them while `is_strict`. `profiles` are the attributes that were set, lists as they were edited.
    `subscribed` counts what would have subscribed somebody.
    """

    path = ""

    def __init__(self, rest_key: str, project_key: str) -> None:
        super().__init__()
        self._proof = f"Bearer {rest_key}", project_key
        self.invalid: set[str] = set()
        self.says_which, self.is_strict = True, False
        self.profiles: dict[str, dict[str, Any]] = {}
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.requests = self.subscribed = 0
        self.usually = Reply(202)

    def message_id(self, request: web.Request, body: bytes) -> str:
        """See `HttpFake`: the first of a request."""
        return next(map(_id, _read(body)), "")

    def refusal(self, request: web.Request, body: bytes) -> HTTPStatus | None:
        """See `HttpFake`."""
        if (request.headers.get("authorization"), request.headers.get("x-batch-project")) != self._proof:
            return HTTPStatus.UNAUTHORIZED
        is_known = request.method == "POST" and _PATH.fullmatch(request.path)
        return None if is_known else HTTPStatus.NOT_FOUND

    def answered(self, request: web.Request, body: bytes, reply: Reply) -> tuple[Reply, Sequence[str]]:
        """See `HttpFake`."""
        self.requests += 1
        updates = _read(body)
        if reply.body:
            return reply, list(map(_id, updates))
        if not 0 < len(updates) <= MOST_PROFILES:
            return _said(400, "MALFORMED_PARAMETER", [{"reason": f"1 to {MOST_PROFILES} operations are taken"}]), []
        wrong = {index: said for index, one in enumerate(updates) if (said := self._problem(one))}
        errors = [{"reason": said, **({"index": index} if self.says_which else {})} for index, said in wrong.items()]
        if wrong and self.is_strict:
            return _said(400, "MALFORMED_PARAMETER", errors), []
        taken = [one for index, one in enumerate(updates) if index not in wrong]
        for one in taken:
            self._keep(one)
        return _said(202, "SUCCESS", errors), list(map(_id, taken))

    def _problem(self, one: Mapping[str, Any]) -> str | None:
        attributes = one.get("attributes", {})
        if _SUBSCRIBING & attributes.keys():
            self.subscribed += 1
            return "a channel subscribes nobody"
        if one.get("identifiers", {}).keys() not in ({"custom_id"}, {"installation"}):
            return "identifiers must be one of custom_id, installation"
        if not one.keys() <= {"identifiers", "attributes", "events"}:
            return "unknown keys"
        wrong = [name for name, value in attributes.items() if not self._is_right(name, value)]
        return f"{wrong[0]} is not valid" if wrong else None

    def _is_right(self, name: str, value: Any) -> bool:
        if name in self.invalid or value is None or not (name in _NATIVE or _NAME.fullmatch(name)):
            return False
        if name.startswith("date("):
            return isinstance(value, str) and _MOMENT.fullmatch(value) is not None
        if name.startswith("url("):
            return isinstance(value, str) and value.startswith(("https://", "http://"))
        if isinstance(value, dict):
            return bool(value) and value.keys() <= {"$add", "$remove"} and all(map(_is_list, value.values()))
        return not isinstance(value, list) or _is_list(value)

    def _keep(self, one: Mapping[str, Any]) -> None:
        who = one["identifiers"].get("custom_id", "")
        profile = self.profiles.setdefault(who, {})
        for name, value in one.get("attributes", {}).items():
            if isinstance(value, dict):
                left = [item for item in profile.get(name, []) if item not in value.get("$remove", ())]
                profile[name] = [*left, *(item for item in value.get("$add", ()) if item not in left)]
            else:
                profile[name] = value
        self.events += [(who, event) for event in one.get("events", ())]


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, str) for item in value)


def _read(body: bytes) -> list[dict[str, Any]]:
    try:
        return msgspec.json.decode(body, type=list[dict[str, Any]])
    except (msgspec.DecodeError, msgspec.ValidationError):
        return []


def _id(one: Mapping[str, Any]) -> str:
    """The delivery of an update: by its event, and of attributes alone by whom it is about."""
    for event in one.get("events", ()):
        return str(event.get("attributes", {}).get("delivery_id", ""))
    return str(one.get("identifiers", {}).get("custom_id", ""))


def _said(status: int, code: str, errors: Sequence[Mapping[str, Any]]) -> Reply:
    return Reply(status, body=msgspec.json.encode({"code": code, **({"errors": errors} if errors else {})}))
