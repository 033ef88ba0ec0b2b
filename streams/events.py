"""From a decoded record to an event that is safe to match, or the reason why it is none."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec

from schemas.errors import InvalidEvent
from schemas.event import Event
from schemas.objects import Customer
from schemas.triggers import TRIGGERS, Trigger

T = TypeVar("T")


def read_event(
    decoded: dict[str, Any], topic: str, key: bytes | None, *, now: datetime, max_future: timedelta
) -> Event:
    """The event on `topic` (without prefix). `data` stays a plain mapping, so that unknown fields are kept.

    Raises InvalidEvent naming the field, what it is and what is allowed.
    """
    event = _convert(decoded, Event)
    trigger = _trigger(event, topic)
    for name in ("customer", *trigger.required):
        if event.data.get(name) is None:
            raise InvalidEvent(f"{event.type} lacks the required object {name}", path=f"data.{name}")
    _convert(_known(event.data, trigger), trigger.data, at="data")
    _check_key(key, event.customer_id)
    if event.created_at > now + max_future:
        raise InvalidEvent(
            f"created_at {event.created_at.isoformat()} is in the future: it may be at most "
            f"{int(max_future.total_seconds())} seconds ahead of {now.isoformat()}",
            path="created_at",
        )
    return event


def read_customer(decoded: dict[str, Any], key: bytes | None) -> dict[str, Any]:
    """A profile of the `customers` topic, checked and otherwise as it came. Raises InvalidEvent."""
    _convert(decoded, Customer)
    _check_key(key, decoded["id"])
    return decoded


def _trigger(event: Event, topic: str) -> Trigger:
    trigger = TRIGGERS.get(event.type)
    if trigger is None or trigger.topic != topic:
        allowed = ", ".join(name for name, known in TRIGGERS.items() if known.topic == topic)
        raise InvalidEvent(f"type {event.type[:100]!r} does not belong on {topic}; there: {allowed}", path="type")
    return trigger


def _known(data: dict[str, Any], trigger: Trigger) -> dict[str, Any]:
    """The objects of the topic alone: what stands beside them is upstream's own."""
    return {name: data[name] for name in trigger.data.__struct_fields__ if data.get(name) is not None}


def _check_key(key: bytes | None, customer_id: str) -> None:
    if key is None:
        raise InvalidEvent("the record has no key; the key is the customer's id", path="key")
    if key != customer_id.encode():
        shown = key.decode(errors="replace")[:100]
        raise InvalidEvent(f"the record's key is {shown!r}, but customer.id is {customer_id[:100]!r}", path="key")


def _convert(value: Any, kind: type[T], *, at: str = "") -> T:
    """`msgspec.convert` with our error: `Expected `int`, got `str`` and the path where."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at `$")
        path = (at + where.rstrip("`")).lstrip(".")
        raise InvalidEvent(f"{path or 'the record'}: {message}", path=path) from error
