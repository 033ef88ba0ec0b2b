"""The matcher: business events in, deliveries and decisions out."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from typing import Any

import msgspec
import structlog

from agents.dead_letters import dead_letter
from agents.metrics import Metrics
from agents.rules import RuleTable
from agents.transport.app import BatchApp
from agents.transport.batch import Batch, Incoming, Output
from agents.waiting import until_done
from agents.wiring import Clock, Wiring, utc_now
from schemas.errors import BadRecord, TooLarge, TryLater
from schemas.event import Event
from schemas.topics import CUSTOMERS, DECISIONS, DISTRIBUTIONS, deliveries
from schemas.triggers import EVENT_TOPICS
from streams.audience import Profile
from streams.events import read_customer, read_event
from streams.match import Matched, match_event

log = structlog.get_logger()

ARRIVED_HEADER = "tidings-arrived-at"
"""On a delivery: when its event reached Kafka, in Unix milliseconds."""

_BREATH = 250
"""Events between two moments for the loop, so that heartbeats and health answers are not kept waiting."""


def build_matcher(
    wiring: Wiring, metrics: Metrics, *, clock: Clock = utc_now, **settings: Any
) -> tuple[BatchApp, RuleTable]:
    """The Faust app of one matcher process, and the rule table that has to be started with it."""
    app = BatchApp(
        wiring.group("matcher"),
        wiring.connection(),
        fetch_wait_ms=wiring.settings.matcher.fetch_wait_ms,
        **settings,
    )
    customers = app.Table(CUSTOMERS, partitions=wiring.settings.topics.partitions, key_type=bytes, value_type=bytes)
    rules = RuleTable(wiring.topic(DISTRIBUTIONS), wiring.codec(DISTRIBUTIONS), wiring.follower, metrics)
    matcher = Matcher(app, wiring, rules, customers, metrics, clock)
    app.batch_agent(wiring.topic(CUSTOMERS), matcher.take_customers, name=CUSTOMERS)
    for topic in EVENT_TOPICS:
        app.batch_agent(wiring.topic(topic), matcher.match_batch, name=topic)
    return app, rules


def changelog_topic(wiring: Wiring) -> str:
    """The topic behind the customer table."""
    return f"{wiring.group('matcher')}-{CUSTOMERS}-changelog"


class Matcher:
    """The two agents' bodies: each decodes, calls the core and emits; the transport acknowledges."""

    def __init__(
        self, app: BatchApp, wiring: Wiring, rules: RuleTable, customers: Any, metrics: Metrics, clock: Clock
    ) -> None:
        self._app, self._rules, self._customers = app, rules, customers
        self._metrics, self._clock = metrics, clock
        self._prefix = wiring.settings.topics.prefix
        self._limits = wiring.settings.matcher
        self._codecs = {topic: wiring.codec(topic) for topic in (*EVENT_TOPICS, CUSTOMERS)}
        self._decisions = wiring.topic(DECISIONS), wiring.codec(DECISIONS)
        self._deliveries = {
            channel: (wiring.topic(deliveries(channel)), wiring.codec(deliveries(channel)))
            for channel in ("webhook", "email")
        }

    async def match_batch(self, batch: Batch) -> None:
        """Match each event of a batch and emit what it causes."""
        await self._rules.complete.wait()
        started = time.perf_counter()
        outputs = await until_done(lambda: self._match_all(batch), what="schema registry")
        await batch.emit(outputs)
        self._finished(batch, started, len(outputs))

    async def take_customers(self, batch: Batch) -> None:
        """Put each profile of a batch into the table; a tombstone takes the customer out."""
        started = time.perf_counter()
        outputs = await until_done(lambda: self._store_all(batch), what="schema registry")
        await batch.emit(outputs)
        self._finished(batch, started, len(outputs))

    async def _match_all(self, batch: Batch) -> list[Output]:
        outputs: list[Output] = []
        topic = str(batch.tp.topic).removeprefix(self._prefix)
        for number, record in enumerate(batch.records, 1):
            try:
                event = self._read(topic, record)
                matched = match_event(event, self._profile(record.key), self._rules.index, self._clock())
                outputs.extend(self._outputs(event, matched, batch, record))
            except TryLater:
                raise
            except Exception as error:  # one event that cannot be processed never stops the others
                outputs.append(self._dead_letter(batch, record, error))
            if number % _BREATH == 0:
                await asyncio.sleep(0)
        return outputs

    async def _store_all(self, batch: Batch) -> list[Output]:
        outputs: list[Output] = []
        for record in batch.records:
            try:
                outputs.append(self._app.put(self._customers, batch, *self._row(record)))
            except BadRecord as error:
                outputs.append(self._dead_letter(batch, record, error))
        return outputs

    def _read(self, topic: str, record: Incoming) -> Event:
        decoded = self._decode(topic, record)
        event = read_event(decoded, topic, record.key, now=self._clock(), max_future=self._limits.max_future)
        self._metrics.events.labels(event.type).inc()
        return event

    def _row(self, record: Incoming) -> tuple[bytes, bytes | None]:
        if record.value is None and record.key is not None:
            return record.key, None
        profile = read_customer(self._decode(CUSTOMERS, record), record.key)
        return profile["id"].encode(), msgspec.json.encode(profile)

    def _decode(self, topic: str, record: Incoming) -> dict[str, Any]:
        raw = record.value or b""
        if len(raw) > self._limits.max_event_bytes:
            raise TooLarge(f"{len(raw)} bytes; matcher.max_event_bytes allows {self._limits.max_event_bytes}")
        return self._codecs[topic].decode(raw)

    def _profile(self, key: bytes | None) -> Profile | None:
        row = self._customers.data.get(key)
        return None if row is None else msgspec.json.decode(row)

    def _outputs(self, event: Event, matched: Matched, batch: Batch, record: Incoming) -> list[Output]:
        self._count(matched)
        key, arrived = event.customer_id.encode(), [(ARRIVED_HEADER, str(record.timestamp).encode())]
        outputs = []
        for delivery in matched.deliveries:
            topic, codec = self._deliveries[delivery.channel]
            outputs.append(Output(topic, key, codec.encode(delivery), batch.partition, arrived))
        topic, codec = self._decisions
        outputs.extend(Output(topic, key, codec.encode(decision), batch.partition) for decision in matched.decisions)
        return outputs

    def _count(self, matched: Matched) -> None:
        if matched.matched:
            self._metrics.matches.inc(matched.matched)
        self._metrics.no_match.inc(matched.no_match)
        for decision in matched.decisions:
            self._metrics.decisions.labels(decision.outcome, decision.reason or "").inc()

    def _dead_letter(self, batch: Batch, record: Incoming, error: Exception) -> Output:
        facts, output = dead_letter(batch, record, error, role="matcher", prefix=self._prefix, now=self._now())
        self._metrics.dead_letters.labels(facts.kind).inc()
        if facts.kind == "internal":
            log.error("event_failed", topic=facts.topic, partition=facts.partition, offset=facts.offset, exc_info=error)
        return output

    def _now(self) -> datetime:
        return self._clock()

    def _finished(self, batch: Batch, started: float, outputs: int) -> None:
        seconds = time.perf_counter() - started
        topic = str(batch.tp.topic)
        self._metrics.batch_seconds.labels(topic).observe(seconds)
        log.info(
            "batch",
            topic=topic,
            partition=batch.partition,
            offset=batch.next_offset - 1,
            records=len(batch.records),
            outputs=outputs,
            milliseconds=round(seconds * 1000, 1),
        )
