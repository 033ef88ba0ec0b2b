"""The rule table: every distribution, followed from the compacted `distributions` topic by each matcher for itself.

A consumer without a group reads the one partition from its beginning and goes on for ever. Why, and what else was
considered: deploy/decisions/rule-table.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
from collections.abc import Callable
from datetime import UTC, tzinfo
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from mode import Service

from agents.broker.records import Incoming
from agents.roles.matcher.looks import Looks
from agents.telemetry.metrics import MOST_NAMED, Metrics
from agents.transport.fetching import Blocked
from agents.waiting import OUTAGES, retry_until_available
from schemas.distribution import Distribution
from schemas.errors import InvalidEvent, TidingsError, TryLater
from schemas.record_key import label_of, parse_key, record_key, shown_key
from schemas.wire.codec import TopicCodec
from schemas.wire.read_as import read_as
from streams.event_context import Head
from streams.holidays import load_countries
from streams.index.rules import RuleIndex
from streams.rule import closes_on_holidays

log = structlog.get_logger()

_POLL_MS = 200
_LOOK_AGAIN = 1.0
"""Seconds until a log that cannot be read on is tried again: the broker hands over the same at once, each time."""
_TABLE = "the rule table"


class RuleTable(Service):
    """Keeps `index` equal to the topic. `complete` is set once everything written before the start has been applied."""

    def __init__(
        self,
        topic: str,
        codec: TopicCodec,
        new_consumer: Callable[[], AIOKafkaConsumer],
        metrics: Metrics,
        *,
        zone: tzinfo = UTC,
        default_project: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self.index = RuleIndex(zone)
        self._zone, self._default = zone, default_project
        self.complete = asyncio.Event()
        self._partition = TopicPartition(topic, 0)
        self._codec = codec
        self._new_consumer = new_consumer
        self._metrics = metrics
        self._clock = clock
        self._current_at: float | None = None
        self._read_to = 0
        self._blocked_at: int | None = None
        self._named: set[str] = set()
        self._looks = Looks()
        metrics.rule_table_age.set_function(lambda: clock() - (self._current_at or clock()))

    def require(self, head: Head[Any]) -> None:
        """See that the distribution is here which an event of a send names, in that version or a newer one.

        Raises TryLater while it is not, but for one that the whole topic does not hold any more.
        """
        send, name = head.data.send, head.data.distribution.id
        if send is None:
            return
        rule = self.index.find(head.project_id, name)
        if rule is not None and rule.distribution.version >= send.version:
            return
        if rule is None and self._looks.is_over((head.project_id, str(send.id))):
            return
        has = f"version {rule.distribution.version}" if rule else "nothing of it"
        raise TryLater(
            f"distribution {name} is to be sent in version {send.version}, and {has} was read so far", what=_TABLE
        )

    async def until_broken(self) -> None:
        """Raises what following the topic failed with, if it does: the rules would be old ones from then on."""
        await self._crashed.wait()
        raise self.crash_reason or RuntimeError("the rule table is no longer followed")

    @Service.task  # type: ignore[untyped-decorator]
    async def _follow(self) -> None:
        consumer = self._new_consumer()
        await consumer.start()
        try:
            consumer.assign([self._partition])
            await consumer.seek_to_beginning(self._partition)
            await self._read_until_stopped(consumer)
        finally:
            await consumer.stop()

    async def _read_until_stopped(self, consumer: AIOKafkaConsumer) -> None:
        """Until then; the end is what is committed, so that a transaction left open keeps no matcher from starting."""
        end = await self._end(consumer)
        while not self.should_stop:
            records = (await consumer.getmany(self._partition, timeout_ms=_POLL_MS)).get(self._partition, [])
            position = await consumer.position(self._partition)
            if (records[0].offset if records else position) < self._read_to:
                end = await self._begin_anew(consumer)
            self._read_to = position
            if records:
                await self._take(records)
                self._measure()
            if not self.complete.is_set() and position >= end:
                gc.collect()
                gc.freeze()  # what thousands of rules consist of is not looked through at each collection from now on
                self.complete.set()
                log.info("rule_table_complete", rules=len(self.index), offset=end)
            await self._look(consumer, position)
            if self.complete.is_set() and position >= (consumer.last_stable_offset(self._partition) or 0):
                self._current_at = self._clock()

    async def _look(self, consumer: AIOKafkaConsumer, position: int) -> None:
        """Find out where the topic ends, where somebody misses a distribution that may have been deleted."""
        if self._looks.are_wanted:
            self._looks.begin()
            with contextlib.suppress(KafkaError):  # it is asked again
                self._looks.goes_to(await self._end(consumer))
        self._looks.read_to(position)

    async def _end(self, consumer: AIOKafkaConsumer) -> int:
        (end,) = (await consumer.end_offsets([self._partition])).values()
        return int(end)

    async def _begin_anew(self, consumer: AIOKafkaConsumer) -> int:
        """The topic was made anew: what it no longer holds is no rule any more. Matching waits for its end."""
        log.warning("rules_begin_anew", topic=self._partition.topic, read_to=self._read_to)
        self.index = RuleIndex(self._zone)
        self.complete.clear()
        return await self._end(consumer)

    async def _take(self, records: list[Any]) -> None:
        """Apply changes. Where the log cannot be read on, say so and wait: the rules up to there stay as they are."""
        for record in records:
            if type(record) is not Blocked:
                await self._apply_when_readable(record)
        mark = records[-1]
        if type(mark) is not Blocked:
            OUTAGES.over(self)
            return
        OUTAGES.refused(self, f"{self._partition.topic}-0: cannot be read from offset {mark.offset} on ({mark.why})")
        if self._blocked_at != mark.offset:
            log.error("log_blocked", topic=self._partition.topic, partition=0, offset=mark.offset, why=mark.why)
        self._blocked_at = mark.offset
        await self.sleep(_LOOK_AGAIN)

    async def _apply_when_readable(self, record: Incoming) -> None:
        async def apply() -> None:
            await self._apply(record)

        try:
            await self._apply(record)
        except TryLater:
            await retry_until_available(apply, what="schema registry")

    async def _apply(self, record: Incoming) -> None:
        """Put one change into the index. A record that cannot be used leaves the last good version alone."""
        key = record.key or b""
        try:
            named = parse_key(key, self._default)
            if record.value is None:
                self.index.remove(*named)
                return
            rule = read_as(self._codec.decode(record.value), Distribution)
            if (rule.project_id, rule.id) != named:  # compaction would take another rule's last version for this one's
                shown, right = shown_key(key.decode()), record_key(rule.project_id, rule.id, self._default)
                raise InvalidEvent(f"the key is {shown}; of this distribution it is {shown_key(right)}", path="key")
            if closes_on_holidays(rule):
                await asyncio.to_thread(load_countries)  # some seconds, in which matching goes on by the rules before
            self.index.insert(rule)
        except TryLater:
            raise
        except TidingsError as error:
            self._metrics.rules_rejected.inc()
            log.error("rule_rejected", distribution=key.decode(errors="replace"), error=str(error))

    def _measure(self) -> None:
        """After a change: how many rules there are, and which no index finds."""
        found = self.index.unindexed()
        self._metrics.rules.set(len(self.index))
        self._metrics.rules_unindexed.set(len(found))
        named = {label_of(*key, self._default) for key in found[:MOST_NAMED]}
        for gone in self._named - named:
            self._metrics.rule_unindexed.remove(gone)
        for new in named - self._named:
            self._metrics.rule_unindexed.labels(new).set(1)
        self._named = named
