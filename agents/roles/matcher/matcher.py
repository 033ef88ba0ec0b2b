"""The matcher: business events in, deliveries and decisions out."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from agents.broker.records import Incoming, Output
from agents.clock import Clock, utc_now
from agents.dead_letters import DeadLetters
from agents.event_readers import event_reader
from agents.ingest_time import header_of, stamp
from agents.intake import BatchLog
from agents.roles.matcher.counting import Decided, DecisionCounts
from agents.roles.matcher.memberships import MembershipRows, Row
from agents.roles.matcher.rules import RuleTable
from agents.roles.matcher.source import Source, leading, waits_as
from agents.tables.rocks import Memory, RocksPartition
from agents.tables.table import OpenPartition, PartitionedTable, add_table, in_memory
from agents.telemetry.metrics import Metrics
from agents.transport.app import BatchApp
from agents.transport.batch import Batch
from agents.transport.follower import follower
from agents.waiting import retry_until_available
from agents.wiring import Wiring
from schemas.closed import CHANNELS
from schemas.errors import DISK, NOT_OF_THE_RECORD, InvalidEvent, TooLarge, TryLater
from schemas.events.triggers import EVENT_TOPICS, MANUAL, TRIGGERS
from schemas.hold import Hold
from schemas.topics import (
    CUSTOMERS,
    DECISIONS,
    DISTRIBUTIONS,
    DUE,
    HOLDS,
    LARGEST_ROW,
    MEMBERSHIPS,
    PUBLICATION_REQUESTS,
    RECENT,
    WAITING,
    deliveries,
)
from schemas.wire.read_as import read_as
from streams.event_context import EventContext, Head, is_addressed
from streams.events import EventReader, read_customer, read_tombstone
from streams.match import match_due, match_event, sample_no_match
from streams.memberships import SEGMENT_EVENTS
from streams.outcome import Matched
from streams.recent import is_overfull, with_sent
from streams.waiting import ended_by, with_changes

_YIELD_AFTER_SECONDS = 0.004
"""Work between two moments for the loop, so that heartbeats, reports and health answers are not kept waiting."""
_CLOCK_CHECK_EVERY = 4
"""Records between two looks at the clock."""


def build_matcher(
    wiring: Wiring, metrics: Metrics, *, clock: Clock = utc_now, counts: DecisionCounts | None = None, **settings: Any
) -> tuple[BatchApp, RuleTable]:
    """The Faust app of one matcher process, and the rule table that has to be started with it."""
    app = BatchApp(
        wiring.group("matcher"),
        wiring.settings.kafka,
        fetch_wait_ms=wiring.settings.matcher.fetch_wait_ms,
        table_standby_replicas=wiring.settings.matcher.standby_replicas,
        **settings,
    )
    opened = open_partitions(wiring, Path(app.conf.tabledir))
    partitions = wiring.settings.topics.partitions
    tables = Tables(*(add_table(app, name, partitions=partitions, open_partition=opened) for name in TABLES))
    topic, codec, zone = wiring.topic(DISTRIBUTIONS), wiring.codec(DISTRIBUTIONS), wiring.settings.zone
    follow, default = partial(follower, wiring.settings.kafka), wiring.default_project
    rules = RuleTable(topic, codec, follow, metrics, zone=zone, default_project=default)
    matcher = Matcher(wiring, rules, tables, metrics, clock, counts)
    app.batch_agent(wiring.topic(CUSTOMERS), matcher.take_customers, name=CUSTOMERS)
    app.batch_agent(wiring.topic(MEMBERSHIPS), matcher.take_memberships, name=MEMBERSHIPS)
    for topic in EVENT_TOPICS:
        app.batch_agent(wiring.topic(topic), matcher.match_batch, name=topic, is_bulk=topic == TRIGGERS[MANUAL].topic)
    app.batch_agent(wiring.topic(DUE), matcher.match_due_batch, name=DUE, is_bulk=True)
    return app, rules


def open_partitions(wiring: Wiring, folder: Path) -> OpenPartition:
    """The store of a matcher's rows: on disk, or in memory where the settings say so."""
    settings = wiring.settings.matcher
    if settings.store == "memory":
        return in_memory
    memory, group = Memory(settings.table_memory_mb, settings.row_cache_mb), wiring.group("matcher")
    return lambda table, partition: RocksPartition(folder / group / f"{table}-{partition}", memory)


class Tables(NamedTuple):
    """The matcher's rows by customer."""

    customers: PartitionedTable
    recent: PartitionedTable
    waiting: PartitionedTable
    memberships: PartitionedTable


TABLES = (CUSTOMERS, RECENT, WAITING, MEMBERSHIPS)
"""Their names, in the same order."""


@dataclass(slots=True)
class _Caused:
    """The changes of one record, worked out and not yet made.

    `counts`: the last of the rows is what limits outputs such as these, so they leave once the broker has it.
    """

    outputs: Sequence[Output] = ()
    rows: Sequence[Row] = ()
    counts: bool = False
    type: str = ""
    matched: Matched | None = None


Judge = Callable[[Batch, Incoming, datetime], _Caused]
"""Raises an error of the record where it cannot be judged, TryLater where something is away that is needed for it."""


@dataclass(slots=True)
class _Tally:
    """The counts of a batch, taken once at its end."""

    outputs: int = 0
    matched: int = 0
    no_match: int = 0
    types: Counter[str] = field(default_factory=Counter)
    decisions: Counter[Decided] = field(default_factory=Counter)
    released: Counter[Decided] = field(default_factory=Counter)

    def add(self, caused: _Caused) -> None:
        """Count what was done for one record."""
        self.outputs += len(caused.outputs) if caused.type else 1
        if caused.type:
            self.types[caused.type] += 1
        if caused.matched is not None:
            self.matched += caused.matched.matched
            self.no_match += caused.matched.no_match
            decided = self.released if caused.type == DUE else self.decisions
            for one in caused.matched.decisions:
                decided[one.project_id, one.distribution.id, one.outcome, one.reason or ""] += 1
            for asked in caused.matched.requests:  # what comes of them is decided by whoever has the codes
                decided[asked.project_id, asked.distribution.id, "", ""] += 1


class Matcher:
    """The two agents' bodies: each decodes, calls the core and emits; the transport acknowledges."""

    def __init__(
        self,
        wiring: Wiring,
        rules: RuleTable,
        tables: Tables,
        metrics: Metrics,
        clock: Clock,
        counts: DecisionCounts | None = None,
    ) -> None:
        self._counts = counts
        self._rules = rules
        self._customers, self._recent, self._waiting = tables[:-1]
        self._memberships = MembershipRows(tables.memberships, wiring)
        self._metrics, self._log, self._clock = metrics, BatchLog(metrics), clock
        self._dead_letters = DeadLetters("matcher", wiring, metrics)
        limits = self._limits = wiring.settings.matcher
        self._readers = {wiring.topic(topic): event_reader(wiring, topic, limits) for topic in EVENT_TOPICS}
        self._prefix = wiring.settings.topics.prefix
        self._due_codec, self._customer_codec = wiring.codec(DUE), wiring.codec(CUSTOMERS)
        self._default = wiring.default_project
        self._holds = wiring.topic(HOLDS), wiring.codec(HOLDS)
        self._decisions = wiring.topic(DECISIONS), wiring.codec(DECISIONS)
        self._requests = wiring.topic(PUBLICATION_REQUESTS), wiring.codec(PUBLICATION_REQUESTS)
        self._deliveries = {
            channel: (wiring.topic(deliveries(channel)), wiring.codec(deliveries(channel))) for channel in CHANNELS
        }

    async def match_batch(self, batch: Batch) -> None:
        """Match each event of a batch and emit what it causes."""
        await self._rules.complete.wait()
        await self._each(batch, self._match)

    async def match_due_batch(self, batch: Batch) -> None:
        """Judge again each of a batch that has waited, and emit what it causes."""
        await self._rules.complete.wait()
        await self._each(batch, self._match_due)

    async def take_customers(self, batch: Batch) -> None:
        """Put each profile of a batch into the table; a tombstone takes the customer out."""
        await self._each(batch, self._store)

    async def take_memberships(self, batch: Batch) -> None:
        """Put what segmenters tell of a batch of customers into the table."""
        await self._each(batch, self._keep_told)

    async def _each(self, batch: Batch, judge: Judge, start: int = 0, *, is_aside: bool = False) -> None:
        """Do what each record causes. One that cannot be judged is dead-lettered and never stops the others.

        Where something is away, the rest is left to be done aside: only there, or with a full disk, it is waited for.
        """
        tally = _Tally()
        began = yielded_at = time.perf_counter()
        now = self._clock()
        for number in range(start, len(batch.records)):
            record = batch.records[number]
            try:
                self._process(batch, record, judge, now, tally)
            except TryLater as error:
                if not is_aside and error.what != DISK:
                    batch.rest = partial(self._each, batch, judge, number, is_aside=True)
                    break
                await self._retry_until_judged(batch, record, judge, tally)
            if number % _CLOCK_CHECK_EVERY == 0 and time.perf_counter() - yielded_at > _YIELD_AFTER_SECONDS:
                await batch.wait_for_capacity(goes_on=True)
                await batch.give_way()
                yielded_at, now = time.perf_counter(), self._clock()
        await batch.wait_for_capacity()
        self._finished(batch, time.perf_counter() - began, tally)

    def _process(self, batch: Batch, record: Incoming, judge: Judge, now: datetime, tally: _Tally) -> None:
        """Judge a record, then do all that it causes: an error of the doing is never the record's.

        Rows come before outputs, and there is nothing to wait for in between: where a row has to wait for room on the
        disk, nothing of the record has left yet, and it is judged again. Raises TryLater.

        Between reading a customer's rows and writing them nothing else is judged. A batch of the past is left alone:
        its rows may be gone already, and would read as those of a customer who was never sent anything.
        """
        if batch.is_past:
            return
        try:
            caused = judge(batch, record, now)
        except NOT_OF_THE_RECORD:
            raise
        except Exception as error:
            self._dead_letters.put(batch, record, error, now)
            return
        for row in caused.rows[:-1]:
            batch.put(*row)
        if caused.rows:
            batch.put(*caused.rows[-1], then=caused.outputs if caused.counts else ())
        if not caused.counts:
            batch.emit(caused.outputs)
        tally.add(caused)

    async def _retry_until_judged(self, batch: Batch, record: Incoming, judge: Judge, tally: _Tally) -> None:
        async def again() -> None:
            self._process(batch, record, judge, self._clock(), tally)

        await retry_until_available(again, what="schema registry")

    def _match(self, batch: Batch, record: Incoming, now: datetime) -> _Caused:
        reader = self._readers[batch.tp.topic]
        head = reader.read(record.value or b"", record.key, now, record.headers)
        for_one = is_addressed(head)
        tells = head.type in SEGMENT_EVENTS and not for_one
        rows = self._memberships.after(batch.partition, record.key, head) if tells else ()
        if not self._rules.index.has_any(head):
            return _Caused(rows=rows, type=head.type)
        if for_one:
            self._rules.require(head)
        source = Source.of_record(record, reader.topic)
        context = self._context(head, source, reader, batch, rows)
        matched = match_event(context, self._rules.index, now)
        if self._counts is not None:
            place = (batch.partition, record.offset)
            self._counts.fields.note(context, self._rules.index, batch.tp.topic, place, now)
        if self._limits.no_match_one_in:
            matched.decisions += sample_no_match(context, self._rules.index, now, self._limits.no_match_one_in)
        caused = self._caused(matched, context, source, batch, now)
        caused.rows = (*rows, *caused.rows) if rows else caused.rows
        return caused

    def _match_due(self, batch: Batch, record: Incoming, now: datetime) -> _Caused:
        if record.value is None:
            raise InvalidEvent("what is due has a value; this record is a tombstone")
        hold = read_as(self._due_codec.decode(record.value), Hold)
        reader = self._readers.get(self._prefix + hold.topic)
        if reader is None:
            raise InvalidEvent(f"{hold.topic[:100]} is not a topic of events", path="topic")
        sources = Source.all_of_hold(hold, record.key)
        heads = [reader.read(one.value, one.key, now, one.headers) for one in sources]
        context, *gathered = (self._context(head, one, reader, batch) for head, one in zip(heads, sources, strict=True))
        ended = ended_by(self._waiting.data.get(batch.partition, record.key), waits_as(hold))
        matched = match_due(context, hold, self._rules.index, now, ended, gathered=gathered)
        source = sources[leading(matched.holds, heads)]
        caused = self._caused(matched, context, source, batch, now)
        caused.type = DUE  # its event was counted when it came
        return caused

    def _context(
        self, head: Head[Any], source: Source, reader: EventReader, batch: Batch, changed: Sequence[Row] = ()
    ) -> EventContext:
        """`changed`: the row of memberships, where the event itself changes it."""
        row = self._customers.data.get(batch.partition, source.key)
        recent = partial(self._recent.data.get, batch.partition, source.key)
        decode = partial(reader.decode, headers=source.headers) if source.headers else reader.decode
        if not self._rules.index.asks_segments:
            return EventContext(head, source.value, decode, row, recent)
        segments = partial(self._memberships.segments, batch.partition, source.key or b"", changed)
        return EventContext(head, source.value, decode, row, recent, segments)

    def _caused(self, matched: Matched, context: EventContext, source: Source, batch: Batch, now: datetime) -> _Caused:
        caused, key = _Caused(type=context.head.type, matched=matched), source.key or b""
        rows: list[Row] = []
        if matched.waiting:
            row = self._waiting.data.get(batch.partition, key)
            rows.append((self._waiting, key, with_changes(row, matched.waiting, now)))
        if matched.decisions or matched.requests:
            caused.outputs = self._outputs(matched, source, batch)
            if matched.sent:
                span = self._rules.index.cap_span
                rows.append((self._recent, key, with_sent(context.recent, matched.sent, span)))
                if is_overfull(context.recent, span):
                    self._metrics.recent_overfull.inc()
                caused.counts = matched.counts
        caused.rows = rows
        return caused

    def _store(self, batch: Batch, record: Incoming, _now: datetime) -> _Caused:
        if record.value is None and record.key is not None:
            read_tombstone(record.key, self._default)
            erased = Output(self._holds[0], record.key, None, batch.partition, header_of(stamp(record)))
            rows = [(table, record.key, None) for table in (self._customers, self._recent, self._waiting)]
            return _Caused(
                [erased], [*rows, *self._memberships.without_upstreams(batch.partition, record.key, stamp(record))]
            )
        raw = record.value or b""
        if len(raw) > self._limits.max_event_bytes:
            raise TooLarge(f"{len(raw)} bytes; matcher.max_event_bytes allows {self._limits.max_event_bytes}")
        profile = read_customer(self._customer_codec.decode(raw), record.key, self._default)
        row = msgspec.json.encode(profile)
        if len(row) > LARGEST_ROW:
            raise TooLarge(f"the profile has {len(row)} bytes as JSON; at most {LARGEST_ROW} are kept")
        return _Caused(rows=((self._customers, record.key or b"", row),))

    def _keep_told(self, batch: Batch, record: Incoming, _now: datetime) -> _Caused:
        return _Caused(rows=self._memberships.told(batch.partition, record))

    def _outputs(self, matched: Matched, source: Source, batch: Batch) -> list[Output]:
        """Everything encoded before anything is emitted, so that an event that fails has caused nothing."""
        key, arrived = source.key, header_of(source.arrived_at)
        outputs = []
        for delivery in matched.deliveries:
            topic, codec = self._deliveries[delivery.channel]
            outputs.append(Output(topic, key, codec.encode(delivery), batch.partition, arrived))
        topic, codec = self._requests
        outputs.extend(Output(topic, key, codec.encode(one), batch.partition, arrived) for one in matched.requests)
        topic, codec = self._holds
        outputs.extend(Output(topic, key, codec.encode(source.hold(one)), batch.partition) for one in matched.holds)
        topic, codec = self._decisions
        outputs.extend(Output(topic, key, codec.encode(decision), batch.partition) for decision in matched.decisions)
        return outputs

    def _finished(self, batch: Batch, seconds: float, tally: _Tally) -> None:
        metrics = self._metrics
        metrics.matches.inc(tally.matched)
        metrics.no_match.inc(tally.no_match)
        for kind, count in tally.types.items():
            metrics.events.labels(kind).inc(count)
        for decided in (tally.decisions, tally.released):
            for (_, _, outcome, reason), count in decided.items():
                if outcome:
                    metrics.decisions.labels(outcome, reason).inc(count)
        if self._counts is not None and tally.decisions:
            self._counts.add(tally.decisions, self._clock())
        self._log.ended(batch, seconds, outputs=tally.outputs)
