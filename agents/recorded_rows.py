"""Rows of the read models, as they are made of records: by recorders, and by those who make read models anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from operator import itemgetter
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
from schemas.wire.copy_fields import EPOCH, NULL, micros_in, text
from schemas.wire.read_as import read_as
from store.postgres import storable
from store.read_models.copied import COUNTED, MINUTE, CopiedRow
from store.read_models.recorded import GIVEN, DecisionRow, PurchaseRow, Row, StatusRow
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


def decision_reader(codec: TopicCodec) -> Callable[[bytes], Row]:
    """Reads a decision as its row: straight from its bytes where that can be done. It raises BadRecord."""
    return _row_reader(codec, Decision, _DECISION, _copied_decision, decision_row)


def status_reader(codec: TopicCodec) -> Callable[[bytes], Row]:
    """The same of an end, or a report."""
    return _row_reader(codec, DeliveryStatus, _STATUS, _copied_status, status_row)


def _row_reader(
    codec: TopicCodec,
    kind: type[T],
    paths: Sequence[str],
    copied: Callable[[tuple[bytes, ...]], CopiedRow],
    row_of: Callable[[T], Row],
) -> Callable[[bytes], Row]:
    columns, read = codec.columns(kind, paths), reader_of(codec, kind)

    def row(raw: bytes) -> Row:
        found = columns(raw)
        return row_of(read(raw)) if found is None else copied(found)

    return row


def _copied_decision(columns: tuple[bytes, ...]) -> CopiedRow:
    due_at, event_at = columns[_DECISION_DUE], micros_in(columns[_DECISION_EVENT])
    minute = (event_at if due_at == NULL else micros_in(due_at)) // MINUTE
    return CopiedRow(
        _day_of(minute // _DAY), b"".join(columns[:2]), b"".join(columns), columns[_DECISION_CUSTOMER], event_at,
        minute, b"".join(_decision_counted(columns)),
    )  # fmt: skip


def _copied_status(columns: tuple[bytes, ...]) -> CopiedRow:
    due_at, event_at = columns[_STATUS_DUE], micros_in(columns[_STATUS_EVENT])
    minute = (event_at if due_at == NULL else micros_in(due_at)) // MINUTE
    tells_code = columns[_STATUS_CODE] != NULL and columns[_STATUS_OUTCOME] in _GIVEN
    return CopiedRow(
        _day_of(minute // _DAY), b"".join(columns[:4]), b"".join(columns), columns[_STATUS_CUSTOMER], event_at,
        minute, b"".join(_status_counted(columns)), tells_code,
    )  # fmt: skip


@lru_cache(maxsize=1024)
def _day_of(number: int) -> date:
    return EPOCH.date() + timedelta(days=number)


_ABOUT = (
    "distribution.id", "distribution.version", "distribution.name", "event.id", "event.type", "event.created_at",
    "event.send_id", "customer_id",
)  # fmt: skip
_DECISION = (
    "project_id", "decision_id", *_ABOUT, "outcome", "reason", "detail", "arm", "channel", "delivery_id", "until",
    "due_at", "checks", "decided_at",
)  # fmt: skip
"""The fields of a decision in the order of `DecisionRow`, which begins with the day."""
_STATUS = (
    "project_id", "delivery_id", "outcome", "occurred_at", *_ABOUT, "channel", "account", "type", "reason", "detail",
    "provider_id", "attempts", "due_at", "arm", "code_key",
)  # fmt: skip
"""The same of an end, and `StatusRow`."""
_COUNTED_PATHS = tuple({"distribution_id": "distribution.id", "send_id": "event.send_id"}.get(x, x) for x in COUNTED)
_DECISION_CUSTOMER, _STATUS_CUSTOMER = _DECISION.index("customer_id"), _STATUS.index("customer_id")
_DECISION_EVENT, _DECISION_DUE = _DECISION.index("event.created_at"), _DECISION.index("due_at")
_STATUS_EVENT, _STATUS_DUE = _STATUS.index("event.created_at"), _STATUS.index("due_at")
_decision_counted = itemgetter(*map(_DECISION.index, _COUNTED_PATHS))
_status_counted = itemgetter(*map(_STATUS.index, _COUNTED_PATHS))
_STATUS_CODE, _STATUS_OUTCOME = _STATUS.index("code_key"), _STATUS.index("outcome")
_GIVEN = {text(outcome.encode()) for outcome in GIVEN}
_DAY = 24 * 60
"""In minutes."""


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
    told = msgspec.json.encode(checks).decode()
    if "\\u0000" not in told:
        return told
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
