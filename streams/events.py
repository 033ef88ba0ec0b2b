"""From a record to an event that is safe to match, or the reason why it is not one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, TypeVar

import msgspec

from schemas.errors import InvalidEvent, TooLarge, Undecodable
from schemas.events.event import MAX_ID, Event
from schemas.events.objects import Customer
from schemas.events.of_topic import triggers_on
from schemas.events.triggers import BACKFILLED, MANUAL, SEND, TRIGGERS, Trigger, data_type, object_fields
from schemas.record import Record
from schemas.record_key import (
    SEPARATOR,
    Keyed,
    check_parts,
    is_plain,
    parse_key,
    project_of,
    record_key,
    shown_key,
)
from schemas.wire.codec import TopicCodec
from streams.conditions.answer import with_kind
from streams.event_context import Head, LooseHead
from streams.loose import loosely, tidied
from streams.upstream import Headers, unwrapped

T = TypeVar("T")


class EventChecks:
    """Reads the heads of decoded events of a topic (without prefix): at once where all is right, else closely.

    `default_project` is the project of events in a form that names none (`upstream.py`), and the one whose keys are the
    customers' ids alone (`record_key.py`).
    """

    def __init__(self, topic: str, *, max_future: timedelta, default_project: str) -> None:
        self.topic, self._max_future = topic, max_future
        self._default = default_project
        self._now = self._latest = self._too_late = datetime.min.replace(tzinfo=UTC)
        """`_latest`: a clock that is set back makes no event one of the future."""
        self._head, self._enclosed = head_type(topic), _enclosed_head_type(topic)
        self._required = _required_on(topic)

    def read_decoded(self, event: dict[str, Any], key: bytes | None, now: datetime) -> Head[Any]:
        """The head of an event as plain mappings. Raises BadRecord naming what is wrong and what is allowed."""
        self._at(now)
        try:
            head = msgspec.convert({"head": event}, self._enclosed).head
        except msgspec.ValidationError:
            return self._closely(event, key)
        return self._quickly(head, key) or self._closely(event, key)

    def _at(self, now: datetime) -> None:
        if now is not self._now:  # one moment for many records
            self._now, self._latest = now, max(self._latest, now)
            self._too_late = self._latest + self._max_future

    def _closely(self, event: dict[str, Any], key: bytes | None) -> Head[Any]:
        return read_event(
            event, self.topic, key, now=self._latest, max_future=self._max_future, default_project=self._default
        )

    def _quickly(self, head: Head[Any] | None, key: bytes | None) -> Head[Any] | None:
        """The head of a record that is right in every respect; None for anything that needs a closer look."""
        if head is None or not (0 < len(head.id) <= MAX_ID and 0 < len(head.project_id) <= MAX_ID):
            return None
        required = self._required.get(head.type)
        if required is None or head.created_at > self._too_late or head.created_at.year == 1:
            return None
        customer = head.customer_id
        if _NOT_KEPT in customer or _NOT_KEPT in head.id:
            return None
        if head.project_id == self._default:
            if customer.encode() != key or SEPARATOR in customer:
                return None
        elif not self._is_right(key, head.project_id, customer):
            return None
        for name in required:
            if getattr(head.data, name) is None:
                return None
        return head

    def _is_right(self, key: bytes | None, project_id: str, customer_id: str) -> bool:
        """True for the key of a customer of another project than the default one."""
        right = record_key(project_id, customer_id, self._default)
        return right.encode() == key and right.count(SEPARATOR) == 1 and _NOT_KEPT not in right and customer_id != ""


class EventReader(EventChecks):
    """Reads the heads of an event topic's records. `max_bytes` is a record's limit."""

    def __init__(
        self, topic: str, codec: TopicCodec, *, max_future: timedelta, max_bytes: int, default_project: str
    ) -> None:
        super().__init__(topic, max_future=max_future, default_project=default_project)
        self._max_bytes = max_bytes
        self._decode = codec.decode
        self._straight = codec.straight(self._head)

    def decode(self, raw: bytes, headers: Headers = ()) -> dict[str, Any]:
        """The whole event as plain mappings, in our form whatever it came in. Raises BadRecord."""
        try:
            decoded = self._decode(raw)
        except Undecodable as error:
            if any(name == _SCHEMA_HEADER for name, _ in headers):
                raise Undecodable(f"{error}. {_WITH_SCHEMA_HEADER}") from error
            raise
        return unwrapped(decoded, headers, self._default)

    def read(self, raw: bytes, key: bytes | None, now: datetime, headers: Headers = ()) -> Head[Any]:
        """The head of a record. Raises BadRecord naming what is wrong and what is allowed."""
        if len(raw) > self._max_bytes:
            raise TooLarge(f"{len(raw)} bytes; matcher.max_event_bytes allows {self._max_bytes}")
        self._at(now)
        return self._quickly(self._straight(raw), key) or self._closely(self.decode(raw, headers), key)


@cache
def head_type(topic: str) -> Any:
    """The head of the events on a topic (without prefix)."""
    return Head[data_type(topic)]  # type: ignore[misc]


@cache
def _enclosed_head_type(topic: str) -> Any:
    """A struct with the head in it: what msgspec found out of a generic one it would ask again each time."""
    return msgspec.defstruct("EnclosedHead", [("head", head_type(topic))])


@cache
def _required_on(topic: str) -> Mapping[str, tuple[str, ...]]:
    """The objects that each type on a topic requires, and its struct leaves out where they are not there."""
    return {
        kind: tuple(name for name in trigger.required if _may_be_none(trigger, name))
        for kind, trigger in triggers_on(topic).items()
    }


def topic_of(event: dict[str, Any]) -> str | None:
    """The topic, without prefix, of an event as plain mappings: by its type; None for one that is not known."""
    trigger = TRIGGERS.get(str(event.get("type")))
    data = event.get("data")
    if trigger is not None and trigger.type == BACKFILLED and isinstance(data, dict):
        is_made_up = all(isinstance(data.get(name), dict) for name in ("distribution", SEND))
        trigger = TRIGGERS[MANUAL] if is_made_up else trigger
    return None if trigger is None else trigger.topic


def read_event(
    decoded: dict[str, Any],
    topic: str,
    key: bytes | None,
    *,
    now: datetime,
    max_future: timedelta,
    default_project: str,
) -> Head[Any]:
    """The head of an event on `topic` (without prefix).

    Raises InvalidEvent naming the field, what it is and what is allowed.
    """
    event = _convert(decoded, Event)
    trigger = _trigger(event, topic)
    for name in ("customer", *trigger.required):
        if event.data.get(name) is None:
            raise InvalidEvent(f"{event.type} lacks the required object {name}", path=f"data.{name}")
    head = _head(event, trigger)
    _check_key(key, event.project_id, head.customer_id, default_project)
    if head.created_at - _EPOCH < _BEGINNING:
        raise InvalidEvent(f"created_at {head.created_at.isoformat()} is before the year 1 in UTC", path="created_at")
    if _NOT_KEPT in event.id:
        raise InvalidEvent("id holds the character U+0000, which Postgres cannot keep", path="id")
    if head.created_at > now + max_future:
        raise InvalidEvent(
            f"created_at {head.created_at.isoformat()} is in the future: it may be at most "
            f"{int(max_future.total_seconds())} seconds ahead of {now.isoformat()}",
            path="created_at",
        )
    return head


def _head(event: Event, trigger: Trigger) -> Head[Any]:
    """The known objects checked; where a field is not of its kind, loosely."""
    envelope: dict[str, Any] = {
        "id": event.id,
        "project_id": event.project_id,
        "type": event.type,
        "created_at": event.created_at,
    }
    known = _known(event.data, trigger)
    try:
        return Head(**envelope, data=msgspec.convert(known, trigger.data))  # as `Head[Any]` it would cost twice as much
    except msgspec.ValidationError:
        tidy = tidied(known, trigger.data)
        _check_objects(tidy, trigger)
        return LooseHead(**envelope, data=loosely(tidy, trigger.data))


def _check_objects(data: dict[str, Any], trigger: Trigger) -> None:
    """Refuse an event without the objects that it requires, or the ids of whom it is about and selects."""
    fields = object_fields(trigger.data)
    for name in ("customer", *trigger.required):
        if isinstance(fields[name], type) and issubclass(fields[name], Record) and not isinstance(data[name], dict):
            raise InvalidEvent(f"data.{name}: needs an object, got {with_kind(data[name])}", path=f"data.{name}")
    for name in ("customer", *trigger.selecting):
        found = data.get(name)
        if isinstance(found, dict) and not isinstance(found.get("id"), str):
            problem = "is missing" if found.get("id") is None else f"needs a text, got {with_kind(found['id'])}"
            raise InvalidEvent(f"data.{name}.id: {problem}", path=f"data.{name}.id")


def read_customer(decoded: dict[str, Any], key: bytes | None, default_project: str) -> dict[str, Any]:
    """A profile of the `customers` topic, checked and otherwise as it came. Raises InvalidEvent.

    Whose project it is says the key; a profile that names one as well has to name the same.
    """
    try:
        msgspec.convert(decoded, Customer)
    except msgspec.ValidationError:
        decoded = tidied(decoded, Customer)
        if not isinstance(decoded.get("id"), str):
            _convert(decoded.get("id"), str, at="id")
    check_owner(decoded.get("project_id"), decoded["id"], key, default_project)
    return decoded


def check_owner(named: object, customer_id: str, key: bytes | None, default_project: str) -> None:
    """Hold a profile beside its key, which says whose project it is where the profile does not. Raises InvalidEvent."""
    project_id = named if isinstance(named, str) and named else project_of(key or b"", default_project)
    _check_key(key, project_id, customer_id, default_project)


def read_tombstone(key: bytes, default_project: str) -> Keyed:
    """The customer whom a record without a value erases. Raises InvalidEvent where the key is nobody's."""
    keyed = parse_key(key, default_project)
    check_parts(keyed.id, keyed.project_id)
    return keyed


def _may_be_none(trigger: Trigger, name: str) -> bool:
    """True where the topic's struct leaves out an object that this type requires."""
    return any(field.name == name and not field.required for field in msgspec.structs.fields(trigger.data))


def _trigger(event: Event, topic: str) -> Trigger:
    known = triggers_on(topic)
    trigger = known.get(event.type)
    if trigger is None:
        allowed = ", ".join(known)
        raise InvalidEvent(f"type {event.type[:100]!r} does not belong on {topic}; there: {allowed}", path="type")
    return trigger


def _known(data: dict[str, Any], trigger: Trigger) -> dict[str, Any]:
    """The objects of the topic alone: what stands beside them is upstream's own."""
    return {name: data[name] for name in trigger.data.__struct_fields__ if data.get(name) is not None}


_SCHEMA_HEADER = "__value_schema_id"
_WITH_SCHEMA_HEADER = (
    f"The schema's id stands in the header {_SCHEMA_HEADER}; it is read in front of the value alone: have the producer "
    "write it there (PrefixSchemaIdSerializer)"
)
_EPOCH = datetime.fromtimestamp(0, UTC)
_BEGINNING = datetime.min.replace(tzinfo=UTC) - _EPOCH
_NOT_KEPT = "\0"
"""The one character that Postgres has no place for."""


def _check_key(key: bytes | None, project_id: str, customer_id: str, default_project: str) -> None:
    if key is not None and project_id == default_project and key == customer_id.encode() and is_plain(customer_id):
        return  # nearly every record's
    check_parts(customer_id, project_id)
    if key is None:
        raise InvalidEvent("the record has no key; the key is the customer's id", path="key")
    right = record_key(project_id, customer_id, default_project)
    if key == right.encode():
        parse_key(key, default_project)  # nobody could erase what another project has under no id
        return
    shown = shown_key(key.decode(errors="replace"))
    if project_id == default_project:
        raise InvalidEvent(f"the record's key is {shown}, but customer.id is {shown_key(customer_id)}", path="key")
    raise InvalidEvent(
        f"the record's key is {shown}; of project {project_id[:100]}, which is not the default one, it is the project, "
        f"U+001F and customer.id: {shown_key(right)}",
        path="key",
    )


def _convert(value: Any, kind: type[T], *, at: str = "") -> T:
    """`msgspec.convert` with our error: `Expected `int`, got `str`` and the path where."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at `$")
        path = (at + where.rstrip("`")).lstrip(".")
        raise InvalidEvent(f"{path or 'the record'}: {message}", path=path) from error
