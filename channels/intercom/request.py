"""A delivery as Intercom is asked for it; whose contact it is about is found as it is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from channels.http.api import HttpRequest
from channels.payload import Variables, nothing_left, render_attributes
from schemas.channels.intercom import IntercomDelivery
from schemas.errors import RenderRefused
from schemas.record import JsonObject

CONTACTS, EVENTS, MESSAGES, SEARCH = "/contacts", "/events", "/messages", "/contacts/search"
Kind = Literal["attributes", "event", "message"]
_DATE = "date("


@dataclass(frozen=True, slots=True)
class IntercomRequest(HttpRequest):
    """`body` is that of the call which `kind` says, without its contact; `attributes` is set before an event.

    `base` is the address of the API; `external_id` and `email` are the names of the contact.
    """

    kind: Kind = "attributes"
    base: str = ""
    external_id: str = field(default="", repr=False)
    email: str = field(default="", repr=False)
    attributes: bytes = field(default=b"", repr=False)
    is_email: bool = False

    @property
    def contact_key(self) -> tuple[str, str, str, str]:
        """The customer of one account of one project, by which their contact is kept."""
        return self.project_id, self.account, self.external_id, self.email


def parts_of(delivery: IntercomDelivery, variables: Variables) -> tuple[Kind, bytes, bytes]:
    """The kind of a data transfer, its body, and the attributes that are set before it. Raises RenderRefused."""
    to = delivery.intercom
    attributes = _attributes(render_attributes(to.attributes, variables))
    if to.event is not None:
        return "event", msgspec.json.encode(_event(delivery, variables)), attributes
    if not attributes:
        raise nothing_left()
    return "attributes", attributes, b""


def addressed(request: IntercomRequest, whom: Mapping[str, Any]) -> bytes:
    """The body of an event or a message with its contact."""
    said: JsonObject = msgspec.json.decode(request.body)
    return msgspec.json.encode({**said, **whom})


def _attributes(attributes: JsonObject) -> bytes:
    said = {_bare(name): _value(name, value) for name, value in attributes.items()}
    return msgspec.json.encode({"custom_attributes": said}) if said else b""


def _event(delivery: IntercomDelivery, variables: Variables) -> JsonObject:
    """Of two with the same name, contact and second Intercom may keep one."""
    event = delivery.intercom.event
    assert event is not None  # noqa: S101 - asked before
    metadata = {name: _text(name, value) for name, value in render_attributes(event.properties, variables).items()}
    return {
        "event_name": event.name,
        "created_at": int(delivery.event.created_at.timestamp()),
        "metadata": {"delivery_id": delivery.delivery_id, **metadata},
    }


def _bare(name: str) -> str:
    return name.removeprefix(_DATE).removesuffix(")") if name.startswith(_DATE) else name


def _value(name: str, value: Any) -> Any:
    """An attribute holds a text, a number, true or false; a date is in Unix seconds."""
    if name.startswith(_DATE):
        return _seconds(name, value)
    match value:
        case str() | bool() | int() | float():
            return value
        case datetime():
            return value.isoformat()
        case list():
            return ", ".join(_text(name, one) for one in value)
        case _:
            raise RenderRefused(
                "template_error", f"{name} is an object: Intercom holds a text, a number, true or false"
            )


def _text(name: str, value: Any) -> str:
    """A value in an event's metadata, which is flat and holds texts; what ends in _date is in Unix seconds."""
    if name.endswith("_date"):
        return str(_seconds(name, value))
    plain = _value(name, value)
    return ("true" if plain else "false") if isinstance(plain, bool) else str(plain)


def _seconds(name: str, value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise RenderRefused("template_error", f"{name} is not a date such as 2026-11-20T09:00:00Z") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
