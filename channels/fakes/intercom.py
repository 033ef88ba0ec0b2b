"""Intercom on loopback: contacts that nobody makes unasked, events and messages; it puts nobody back who left."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import msgspec
from aiohttp import web

from channels.fakes.http import HttpFake, Reply

VERSION = "2.16"
MOST_METADATA = 10
_FIND = "/contacts/find_by_external_id/"
_SUBSCRIBES = ("/subscriptions", "/unsubscribe")
_LEFT = "unsubscribed_from_emails"


class IntercomFake(HttpFake):
    """Lets in who has the token. `contacts` by Intercom's own id; it keeps every event, as Intercom may.

    `unready` are ids that messages are not sent to yet, `merged` ids and whose they are now, `archived` external ids;
    `attributes` those of the workspace, texts where `types` does not say otherwise. `knows_everybody`: who is looked
    up by an external id has become a contact by then. `put_back` counts calls that would have subscribed somebody;
    `asked`: methods and paths.
    """

    path = ""

    def __init__(self, token: str, client_secret: str = "") -> None:
        super().__init__()
        self._token, self._secret = token, client_secret
        self.contacts: dict[str, dict[str, Any]] = {}
        self.attributes = {"last_code", "city", "source"}
        self.types: dict[str, str] = {}
        self.unready: set[str] = set()
        self.merged: dict[str, str] = {}
        self.archived: set[str] = set()
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.messages: list[dict[str, Any]] = []
        self.asked: list[tuple[str, str]] = []
        self.remaining = 1666
        self.knows_everybody = False
        self.put_back = 0

    def add(self, external_id: str | None = None, email: str | None = None, **said: Any) -> str:
        """A contact more; its id."""
        identity = f"{len(self.contacts) + 1:024x}"
        contact = {"type": "contact", "id": identity, "role": "user", "external_id": external_id, "email": email}
        flags = {_LEFT: False, "has_hard_bounced": False, "marked_email_as_spam": False, "created_at": 1}
        self.contacts[identity] = {**contact, **flags, "custom_attributes": {}, **said}
        return identity

    def call(self, topic: str, item: Mapping[str, Any], app_id: str = "") -> tuple[dict[str, str], bytes]:
        """The headers and the body of a webhook, as the app would call."""
        data = {"type": "notification_event_data", "item": item}
        said = {"type": "notification_event", "app_id": app_id, "topic": topic, "created_at": 1_795_000_000}
        body = msgspec.json.encode({**said, "data": data})
        signature = hmac.digest(self._secret.encode(), body, "sha1").hex()
        return {"content-type": "application/json", "x-hub-signature": f"sha1={signature}"}, body

    def message_id(self, request: web.Request, body: bytes) -> str:
        """See `HttpFake`: an event carries the delivery's id, of all else it knows the contact alone."""
        said = _decoded(body)
        metadata = said.get("metadata") or {}
        to = said.get("to") or {}
        return str(metadata.get("delivery_id") or to.get("id") or request.path.rpartition("/")[2])

    def refusal(self, request: web.Request, body: bytes) -> HTTPStatus | None:
        """See `HttpFake`."""
        self.asked.append((request.method, request.path))
        if request.headers.get("authorization") != f"Bearer {self._token}":
            return HTTPStatus.UNAUTHORIZED
        return None

    def answered(self, request: web.Request, body: bytes, reply: Reply) -> tuple[Reply, Sequence[str]]:
        """See `HttpFake`."""
        if reply.body:
            return reply, [self.message_id(request, body)]
        if request.headers.get("intercom-version") != VERSION:
            words = "Requested resource is not available in current API version"
            return _error(400, "intercom_version_invalid", words), []
        answer = self._answer(request.method, unquote(request.path), _decoded(body))
        is_taken = answer.status < 300 and (request.method == "PUT" or request.path in ("/events", "/messages"))
        limits = (("x-ratelimit-remaining", str(self.remaining)), ("x-ratelimit-reset", "4102444800"))
        answer = Reply(answer.status, headers=(*limits, *answer.headers), body=answer.body, is_lost=reply.is_lost)
        return answer, [self.message_id(request, body)] if is_taken else []

    def _answer(self, method: str, path: str, said: dict[str, Any]) -> Reply:
        if any(path.endswith(one) for one in _SUBSCRIBES) or said.get(_LEFT) is False:
            self.put_back += 1
            return _error(404, "not_found", "nobody is put back here")
        match method, path:
            case "GET", "/me":
                app = {"type": "app", "id_code": "ws1", "name": "The Shop"}
                return _said(200, {"type": "admin", "id": "7", "app": app})
            case "GET", "/data_attributes":
                kinds = [(name, self.types.get(name, "string")) for name in sorted(self.attributes)]
                own = [{"name": name, "custom": True, "api_writable": True, "data_type": kind} for name, kind in kinds]
                return _said(200, {"type": "list", "data": [*own, {"name": "email", "custom": False}]})
            case "POST", "/contacts/search":
                value = said["query"]["value"]
                return _said(200, {"data": [one for one in self.contacts.values() if one["email"] == value]})
            case "POST", "/contacts":
                return self._made(said)
            case "POST", "/events":
                return self._event(said)
            case "POST", "/messages":
                return self._message(said)
            case (("GET" | "PUT"), _) if path.startswith("/contacts/"):
                return self._contact(method, path, said)
            case _:
                return _error(404, "not_found", "no such path")

    def _made(self, said: dict[str, Any]) -> Reply:
        if said.get("external_id") in self.archived:
            return _error(409, "conflict", "An archived contact matching those details already exists.")
        taken = [one for one in self.contacts.values() if said.get("external_id") in (one["external_id"],)]
        if taken and said.get("external_id"):
            return _error(409, "conflict", f"A contact matching those details already exists with id={taken[0]['id']}")
        identity = self.add(said.get("external_id"), said.get("email"), role=said["role"])
        return _said(200, self.contacts[identity])

    def _contact(self, method: str, path: str, said: dict[str, Any]) -> Reply:
        name = path.removeprefix(_FIND).removeprefix("/contacts/")
        if name in self.merged:
            link = (("link", f'</contacts/{self.merged[name]}>; rel="canonical"'),)
            error = _error(410, "contact_merged", "This contact has been merged.")
            return Reply(410, headers=link, body=error.body)
        external = [one for one in self.contacts.values() if one["external_id"] == name]
        if self.knows_everybody and path.startswith(_FIND) and not external:
            external = [self.contacts[self.add(name)]]
        contact = next(iter(external), None) if path.startswith(_FIND) else self.contacts.get(name)
        if contact is None:
            return _error(404, "not_found", "User Not Found")
        if method == "PUT":
            unknown = sorted(said["custom_attributes"].keys() - self.attributes)
            if unknown:
                return _error(400, "parameter_invalid", f"Custom attribute '{unknown[0]}' does not exist")
            contact["custom_attributes"] |= said["custom_attributes"]
        return _said(200, contact)

    def _event(self, said: dict[str, Any]) -> Reply:
        metadata = said.get("metadata", {})
        if len(metadata) > MOST_METADATA or not all(isinstance(one, str) for one in metadata.values()):
            return _error(400, "parameter_invalid", "metadata holds at most ten texts")
        if not isinstance(said.get("created_at"), int) or not said.get("event_name"):
            return _error(422, "parameter_not_found", "event_name and created_at are needed")
        people = self.contacts.values()
        owner = [one for one in people if said.get("id") == one["id"] or said.get("user_id", 0) == one["external_id"]]
        if not owner:
            return _error(404, "not_found", "User Not Found")
        self.events.append((owner[0]["id"], said))
        return Reply(202)

    def _message(self, said: dict[str, Any]) -> Reply:
        needed = {"message_type", "body", "from", "to"} | ({"subject", "template"} if _is_email(said) else set())
        missing = sorted(name for name in needed if not said.get(name))
        if missing:
            return _error(422, "parameter_not_found", f"No {missing[0]} supplied")
        if not isinstance(said["from"]["id"], int) or said["to"]["type"] not in ("user", "lead"):
            return _error(400, "parameter_invalid", "from.id is a number, to.type user or lead")
        if said["to"]["id"] not in self.contacts or said["to"]["id"] in self.unready:
            return _error(404, "not_found", "User Not Found")
        self.messages.append(said)
        kind = "email" if _is_email(said) else "inapp"
        return _said(200, {"type": "admin_message", "id": str(len(self.messages)), "message_type": kind})


def _is_email(said: Mapping[str, Any]) -> bool:
    return said.get("message_type") == "email"


def _decoded(body: bytes) -> dict[str, Any]:
    try:
        said = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return {}
    return said if isinstance(said, dict) else {}


def _error(status: int, code: str, message: str) -> Reply:
    return _said(status, {"type": "error.list", "request_id": "r1", "errors": [{"code": code, "message": message}]})


def _said(status: int, body: Any) -> Reply:
    return Reply(status, headers=(("content-type", "application/json"),), body=msgspec.json.encode(body))
