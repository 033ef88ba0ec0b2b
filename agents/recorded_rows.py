"""Rows of the read models, as they are made of records: by recorders, and by those who make read models anew."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from agents.event_readers import event_reader
from agents.wiring import Wiring
from schemas.code_key import code_key
from schemas.decision import Check, Decision, DeliveryStatus
from schemas.delivery import EventRef
from schemas.errors import BadRecord, InvalidEvent
from schemas.purchase import PURCHASE_EVENTS
from schemas.wire.codec import TopicCodec
from schemas.wire.read_as import read_as
from store.postgres import storable
from store.read_models.recorded import DecisionRow, PurchaseRow, StatusRow
from streams.event_context import Head
from streams.purchases import purchase_of
from streams.upstream import Headers

T = TypeVar("T")


def reader_of(codec: TopicCodec, kind: type[T]) -> Callable[[bytes], T]:
    """Reads a record as a struct, the usual ones the short way. It raises BadRecord."""
    straight = codec.straight(kind)

    def read(raw: bytes) -> T:
        found: T | None = straight(raw)
        return read_as(codec.decode(raw), kind) if found is None else found

    return read


class PurchaseReader:
    """Reads the purchases of an event topic, by the rules by which matchers read its events."""

    def __init__(self, wiring: Wiring, topic: str) -> None:
        self._events = event_reader(wiring, topic, wiring.settings.matcher)

    def row(self, value: bytes | None, key: bytes | None, headers: Headers, now: datetime) -> PurchaseRow | None:
        """The row of a record; None for an event of another type, and for one that a matcher has dead-lettered."""
        try:
            head = self._events.read(value or b"", key, now, headers)
            if head.type not in PURCHASE_EVENTS:
                return None
            return purchase_row(head, self._events.decode(value or b"", headers))
        except BadRecord:
            return None


def purchase_row(head: Head[Any], event: dict[str, Any]) -> PurchaseRow | None:
    """The row of an event's purchase; None where it does not say what was bought."""
    found = purchase_of(event)
    if found is None:
        return None
    project, at = storable(head.project_id), _utc(head.created_at, "created_at")
    key = None if found.code is None else code_key(head.project_id, found.code)
    told = storable(found.subject_id), key, found.amount, found.currency
    return PurchaseRow(at.date(), project, storable(head.id), storable(head.customer_id), at, found.kind, *told)


def decision_row(one: Decision) -> DecisionRow:
    """The row of a decision. Raises InvalidEvent for a time that no calendar has."""
    event_at, due_at = _utc(one.event.created_at, "event.created_at"), _utc_or_none(one.due_at, "due_at")
    return DecisionRow(
        (due_at or event_at).date(),
        storable(one.project_id),
        storable(one.decision_id),
        *_about(one.distribution.id, one.distribution.version, one.distribution.name, one.event, event_at),
        storable(one.customer_id),
        one.outcome,
        one.reason,
        _storable(one.detail),
        _storable(one.arm),
        one.channel,
        _storable(one.delivery_id),
        _utc_or_none(one.until, "until"),
        due_at,
        _checks(one.checks),
        _utc(one.decided_at, "decided_at"),
    )


def status_row(one: DeliveryStatus) -> StatusRow:
    """The row of an end, or a report. Raises InvalidEvent for a time that no calendar has."""
    event_at, due_at = _utc(one.event.created_at, "event.created_at"), _utc_or_none(one.due_at, "due_at")
    return StatusRow(
        (due_at or event_at).date(),
        storable(one.project_id),
        storable(one.delivery_id),
        one.outcome,
        _utc(one.occurred_at, "occurred_at"),
        *_about(one.distribution.id, one.distribution.version, one.distribution.name, one.event, event_at),
        storable(one.customer_id),
        one.channel,
        storable(one.account),
        storable(one.type),
        one.reason,
        storable(one.detail),
        _storable(one.provider_id),
        one.attempts,
        due_at,
        _storable(one.arm),
        one.code_key,
    )


def _about(
    distribution_id: str, version: int, name: str, event: EventRef, event_at: datetime
) -> tuple[str, int, str, str, str, datetime, str | None]:
    named = storable(distribution_id), version, storable(name)
    return *named, storable(event.id), storable(event.type), event_at, _storable(event.send_id)


def _checks(checks: list[Check]) -> str:
    """As JSON that Postgres can look into, which it cannot where U+0000 is escaped."""
    text = msgspec.json.encode(checks).decode()
    if "\\u0000" not in text:
        return text
    clean = [Check(test=storable(one.test), passed=one.passed, seen=storable(one.seen)) for one in checks]
    return msgspec.json.encode(clean).decode()


def _storable(text: str | None) -> str | None:
    return None if text is None else storable(text)


def _utc_or_none(at: datetime | None, field: str) -> datetime | None:
    return None if at is None else _utc(at, field)


def _utc(at: datetime, field: str) -> datetime:
    """A time in UTC, which one without a zone is taken to be in already."""
    if at.tzinfo is UTC:
        return at
    try:
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except OverflowError as error:
        raise InvalidEvent(f"{at.isoformat()} is out of the calendar's range in UTC", path=field) from error
