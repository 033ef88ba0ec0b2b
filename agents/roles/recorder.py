"""The recorder: decisions and ends of deliveries from their topics into Postgres, for those who ask what happened.

How far a partition is in stands in Postgres, in the transaction of its rows: whoever dies when, each record is in once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

import msgspec
import structlog

from agents.broker.records import Incoming
from agents.clock import Clock, utc_now
from agents.dead_letters import DeadLetters
from agents.ingest_time import stamp
from agents.intake import Chunk, Intake
from agents.telemetry.metrics import Metrics
from agents.transport.app import BatchApp
from agents.waiting import retry_until_available
from agents.wiring import Wiring
from schemas.decision import Check, Decision, DeliveryStatus
from schemas.delivery import EventRef
from schemas.errors import InvalidEvent
from schemas.topics import DECISIONS, DELIVERY_STATUS
from schemas.wire.codec import TopicCodec
from schemas.wire.read_as import read_as
from store.postgres import storable
from store.read_models.recorded import DecisionRow, Put, Recorded, Row, Source, Sourced, StatusRow

log = structlog.get_logger()

_CHUNK_SIZE = 2000
"""Records of one transaction: as many as a fetch brings."""
_TIDY_SECONDS = 30.0

T = TypeVar("T")


def build_recorder(
    wiring: Wiring, recorded: Recorded, metrics: Metrics, *, clock: Clock = utc_now, **settings: Any
) -> tuple[BatchApp, Recorder]:
    """The Faust app of one recorder process, and the recorder whose `run` goes with it."""
    app = BatchApp(wiring.group("recorder"), wiring.settings.kafka, **settings)
    recorder = Recorder(wiring, recorded, metrics, clock)
    for topic, intake in recorder.intakes.items():
        app.batch_agent(wiring.topic(topic), intake.take, name=f"recorded-{topic}")
    return app, recorder


class Recorder:
    """Writes read models. Any number of processes share the work, each partition one at a time."""

    def __init__(self, wiring: Wiring, recorded: Recorded, metrics: Metrics, clock: Clock) -> None:
        self._recorded, self._metrics = recorded, metrics
        dead_letters = DeadLetters("recorder", wiring, metrics)
        take_in = partial(Intake[Row], metrics=metrics, clock=clock, size=_CHUNK_SIZE, counted="recorded")
        decision, status = (
            _reader(wiring.codec(DECISIONS), Decision),
            _reader(wiring.codec(DELIVERY_STATUS), DeliveryStatus),
        )
        put_decisions = partial(self._keep, "decisions", recorded.put_decisions)
        put_statuses = partial(self._keep, "statuses", recorded.put_statuses)
        self.intakes = {
            DECISIONS: take_in(lambda record: decision_row(decision(record)), put_decisions, dead_letters),
            DELIVERY_STATUS: take_in(lambda record: status_row(status(record)), put_statuses, dead_letters),
        }

    async def _keep(
        self, what: str, put: Callable[[Source, Sequence[Sourced]], Awaitable[Put]], taken: Chunk[Row]
    ) -> int:
        """Keep the rows of a chunk; how many were new. Records that could not be read are passed by with it."""
        batch = taken.batch
        if not taken.records:
            return 0
        end, latest = taken.records[-1].offset + 1, max(map(stamp, taken.records))
        source = Source(str(batch.tp.topic), batch.partition, end, latest)
        rows = [Sourced(record.offset, stamp(record), row) for record, row in taken.read]
        done = await retry_until_available(partial(put, source, rows), what="Postgres")
        for name, count in (("new", done.new), ("known", done.known), ("late", done.late)):
            self._metrics.recorded.labels(what, name).inc(count)
        if done.late:
            log.warning("recorded_late", topic=source.topic, partition=source.partition, records=done.late)
        return done.new

    async def run(self) -> None:
        """Drop days that are kept no longer, until cancelled. An error that escapes ends the process."""
        while True:
            if days := await retry_until_available(self._recorded.tidy, what="Postgres"):
                log.info("tidied", recorded_days=days)
            await asyncio.sleep(_TIDY_SECONDS)


def _reader(codec: TopicCodec, kind: type[T]) -> Callable[[Incoming], T]:
    """Reads a record as a struct, the usual ones the short way."""
    straight = codec.straight(kind)

    def read(record: Incoming) -> T:
        raw = record.value or b""
        found: T | None = straight(raw)
        return read_as(codec.decode(raw), kind) if found is None else found

    return read


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
