"""Braze on loopback: takes what its reference allows, says of each object what is wrong, and counts requests."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web

from channels.fakes.http import HttpFake, Reply

MOST_OBJECTS = 75
MAX_BYTES = 4_000_000
_IDENTITIES = ("external_id", "user_alias", "braze_id", "email", "phone")
_SUBSCRIBING = frozenset({"email_subscribe", "push_subscribe", "subscription_groups", "push_tokens"})
_ARRAYS = ("attributes", "events")


class BrazeFake(HttpFake):
    """Lets in who has the key, at `/users/track` alone.

    `invalid` are names of attributes or events that it does not want; it says the index of their objects while
    `says_index`, and refuses whole requests for them while `is_strict`. `profiles` are the attributes that were set,
    `events` those that were told, by the profile's name. `subscribed` counts what would have subscribed somebody.
    """

    path = ""

    def __init__(self, api_key: str) -> None:
        super().__init__()
        self._key = api_key
        self.may_track = True
        self.invalid: set[str] = set()
        self.says_index, self.is_strict = True, False
        self.profiles: dict[str, dict[str, Any]] = {}
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.requests = self.subscribed = 0
        self.usually = Reply(201)

    def message_id(self, request: web.Request, body: bytes) -> str:
        """See `HttpFake`: the first of a request."""
        return next(iter(_ids(_read(body))), "")

    def refusal(self, request: web.Request, body: bytes) -> HTTPStatus | None:
        """See `HttpFake`."""
        if request.headers.get("authorization") != f"Bearer {self._key}" or not self.may_track:
            return HTTPStatus.UNAUTHORIZED
        if (request.method, request.path) != ("POST", "/users/track"):
            return HTTPStatus.NOT_FOUND
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE if len(body) > MAX_BYTES else None

    def throttle(self, wait: float) -> None:
        """Answer 429 to the next request, with the moment at which the window ends."""
        ends = str(math.ceil(time.time() + wait))
        headers = (("x-ratelimit-limit", "3000"), ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", ends))
        self.replies.append(Reply(429, headers=headers, body=b'{"message":"Rate limit exceeded"}'))

    def answered(self, request: web.Request, body: bytes, reply: Reply) -> tuple[Reply, Sequence[str]]:
        """See `HttpFake`."""
        self.requests += 1
        if reply.body:
            return reply, _ids(_read(body))
        read = _read(body)
        objects = [(array, index, one) for array in _ARRAYS for index, one in enumerate(read.get(array, ()))]
        if not objects or not set(read) <= set(_ARRAYS) or len(objects) > MOST_OBJECTS:
            return _said(400, "Valid data must be provided in the 'attributes', 'events', or 'purchases' fields."), []
        wrong = {(array, index): said for array, index, one in objects if (said := self._problem(array, one))}
        if wrong and self.is_strict:
            return _said(400, "Invalid request", self._errors(wrong)), []
        for array, index, one in objects:
            if (array, index) not in wrong:
                self._keep(array, one)
        taken = _ids({array: [one for of, index, one in objects if of == array and (of, index) not in wrong]
                      for array in _ARRAYS})  # fmt: skip
        return _said(201, "success", self._errors(wrong)), taken

    def _errors(self, wrong: Mapping[tuple[str, int], str]) -> list[dict[str, Any]]:
        if not self.says_index:
            return [{"type": said} for said in wrong.values()]
        return [{"type": said, "input_array": array, "index": index} for (array, index), said in wrong.items()]

    def _problem(self, array: str, one: Mapping[str, Any]) -> str | None:
        if _SUBSCRIBING & one.keys():
            self.subscribed += 1
            return "a channel subscribes nobody"
        if sum(name in one for name in _IDENTITIES) != 1:
            return "'external_id' or 'braze_id' or 'user_alias' or 'email' or 'phone' is required"
        if array == "events" and not (one.get("name") and one.get("time")):
            return "'name' and 'time' are required"
        if _holds_null(one):
            return "null is not valid here"
        unwanted = sorted({*one, str(one.get("name"))} & self.invalid)
        return f"{', '.join(unwanted)} is not valid" if unwanted else None

    def _keep(self, array: str, one: Mapping[str, Any]) -> None:
        who = next(str(one[name]) for name in _IDENTITIES if name in one)
        rest = {name: value for name, value in one.items() if name not in (*_IDENTITIES, "_update_existing_only")}
        if array == "events":
            self.events.append((who, rest))
        elif not one.get("_update_existing_only") or who in self.profiles:
            self.profiles.setdefault(who, {}).update(rest)


def _read(body: bytes) -> dict[str, Any]:
    try:
        read: dict[str, Any] = msgspec.json.decode(body, type=dict[str, list[dict[str, Any]]])
    except (msgspec.DecodeError, msgspec.ValidationError):
        return {}
    return read


def _ids(read: Mapping[str, Any]) -> list[str]:
    """The deliveries of a request: by their events, and of attributes alone by whom they are about."""
    told = [str(one.get("properties", {}).get("delivery_id", "")) for one in read.get("events", ())]
    return told or [str(one.get("external_id", "")) for one in read.get("attributes", ())]


def _said(status: int, message: str, errors: Sequence[Mapping[str, Any]] = ()) -> Reply:
    said = {"message": message, **({"errors": errors} if errors else {})}
    return Reply(status, body=msgspec.json.encode(said))


def _holds_null(value: Any) -> bool:
    if isinstance(value, dict):
        return any(map(_holds_null, value.values()))
    return any(map(_holds_null, value)) if isinstance(value, list) else value is None
