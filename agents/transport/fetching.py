"""The thread that talks to the broker, and what it reads of a fetch reply. README.md says why each override exists."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiokafka.consumer import consumer, fetcher, subscription_state
from aiokafka.structs import TopicPartition
from faust.transport.drivers import aiokafka as driver

from agents.transport.fetched import read_leniently
from agents.transport.membership import join_in_our_way
from agents.transport.pauses import Pauses, Rest

_COMMIT_SECONDS = 10.0
_AT_REST_MS = 160
"""A fetch of all partitions ends with the first record whatever it waits; a seek waits for the end of the last one."""

_AT_REST_AFTER = 50
"""Fetches one after another that found nothing: about a second."""


class Blocked:
    """Stands at the end of a partition's records where reading cannot go on; nothing from `offset` on was read."""

    __slots__ = ("offset", "why")

    key = value = None
    timestamp = 0
    headers = ()

    def __init__(self, offset: int, why: str) -> None:
        self.offset = offset
        self.why = why


class LeanRecords(fetcher.PartitionRecords):
    """Hands over the records as the C parser made them: no second object around each, no calls in between.

    What a transaction that was aborted wrote is left out a batch at a time, by the list in the reply. A marker (of a
    commit or an abort) takes an offset and is no record.
    """

    next_fetch_offset: int
    _records_iterator: Iterator[Any]

    def __iter__(self) -> Iterator[Any]:
        return self._records_iterator

    def _unpack_records(self) -> Iterator[Any]:
        try:
            while self._records.has_next():
                batch = self._records.next_batch()
                if self._check_crcs and not batch.is_usable(self._tp):
                    return  # it is fetched again from here
                if not self._is_left_out(batch):
                    for record in batch:
                        offset = record.offset
                        if offset >= self.next_fetch_offset:  # a batch may begin before what was asked for
                            self.next_fetch_offset = offset + 1
                            yield record
                self.next_fetch_offset = batch.next_offset
        except Exception as error:  # of a codec that is unknown, or what is no batch at all: the log stays as it is
            yield Blocked(self.next_fetch_offset, f"{type(error).__name__}: {error}")

    def _is_left_out(self, batch: Any) -> bool:
        if not self._aborted_transactions and not self._aborted_producers:
            return bool(batch.is_control_batch)
        self._consume_aborted_up_to(batch.base_offset)
        if batch.is_control_batch:
            if self._contains_abort_marker(batch):
                self._aborted_producers.discard(batch.producer_id)
            return True
        return bool(batch.is_transactional and batch.producer_id in self._aborted_producers)


class FetchWait:
    """The wait of a fetch that finds nothing, which grows at rest, so that rest costs little.

    In between records it does not: at 5,000 a second p99 went from 27 to 48 ms by it. One that leaves out what was
    refused waits `least_ms` alone: it would keep that from being asked for again. Partitions whose records lie here are
    left out as well, until these are taken: that is a change, and no rest.
    """

    def __init__(self, least_ms: int) -> None:
        self._least, self._next, self._in_vain = least_ms, least_ms, 0

    def ms(self, *, is_whole: bool) -> int:
        """The wait of the next fetch."""
        return self._next if is_whole else self._least

    def ended(self, *, found: bool) -> None:
        """A fetch has ended."""
        self._in_vain = 0 if found else self._in_vain + 1
        is_at_rest = self._in_vain > _AT_REST_AFTER
        self._next = max(self._least, min(2 * self._next, _AT_REST_MS)) if is_at_rest else self._least


class Fetcher(fetcher.Fetcher):
    """Waits as long as `FetchWait` says. `active` are the partitions that somebody reads now; None where all are.

    What was fetched of others, of changelogs mostly, lies here for ever and holds nothing up.
    """

    active: Collection[Any] | None = None
    bulk_topics: Collection[str] = ()
    _fetch_max_wait_ms: int

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._wait, self._pauses = FetchWait(self._fetch_max_wait_ms), Pauses()
        self._lying: set[Any] = set()

    def _get_actions_per_node(self, assignment: Any) -> Any:
        for tp, waiting in self._records.items():
            if tp.topic in self.bulk_topics:
                waiting._backoff = 0.0  # else nothing else of its broker is fetched for a while
        refused = self._pauses.partitions()
        lying = {tp for tp in self._records if self.active is None or tp in self.active}
        if lying != self._lying:  # some was taken, and is to be asked for again, or more came
            self._lying = lying
            self._wait.ended(found=True)
        states = map(assignment.state_value, assignment.tps)
        is_whole = not refused and all(one.has_valid_position and not one.paused for one in states)
        self._fetch_max_wait_ms = self._wait.ms(is_whole=is_whole)
        fetches, resets, seconds, is_without_leader, resumed = super()._get_actions_per_node(Rest(assignment, refused))
        asks = is_without_leader and self._pauses.may_ask_for_leaders()
        return fetches, resets, self._pauses.rest(seconds), asks, resumed

    async def _proc_fetch_request(self, assignment: Any, node_id: Any, request: Any) -> Any:
        asked = {
            assignment.state_value(tp := TopicPartition(topic, number)): tp
            for topic, partitions in request.topics
            for number, *_ in partitions
        }
        for state in asked:
            state.is_answered = False
        found = await super()._proc_fetch_request(assignment, node_id, request)
        if assignment.active:
            self._pauses.refused(tp for state, tp in asked.items() if not state.is_answered)
        self._wait.ended(found=found or not assignment.active)
        return found

    def put_bulk_last(self) -> None:
        """Have what is live handed over first: a call ends with so many records."""
        for tp in [tp for tp in self._records if tp.topic in self.bulk_topics]:
            self._records[tp] = self._records.pop(tp)

    def seek_to(self, tp: Any, offset: int) -> None:
        """Move one partition; more is to come, mostly."""
        self._wait.ended(found=True)
        super().seek_to(tp, offset)

    def request_offset_reset(self, tps: Any, strategy: int) -> Any:
        """Move some to the beginning or the end."""
        self._wait.ended(found=True)
        return super().request_offset_reset(tps, strategy)


class PartitionState(subscription_state.TopicPartitionState):
    """Remembers where it stood when the broker said that there is nothing: retention, a deletion, or a new topic.

    `is_answered`: since it was last asked for, and not with a refusal; or it was moved meanwhile.
    """

    left: int | None = None
    is_answered = True

    @property
    def timestamp(self) -> int | None:
        """The time of the last answer, in Unix milliseconds; None before the first."""
        return self._answered_at

    @timestamp.setter
    def timestamp(self, at: int | None) -> None:
        self._answered_at, self.is_answered = at, True

    def seek(self, position: int) -> None:
        """Move."""
        self.is_answered = True
        super().seek(position)

    def await_reset(self, strategy: int) -> None:
        """The position is to be the log's first (or last) offset."""
        self.left, self.is_answered = self._position, True
        super().await_reset(strategy)


def read_in_our_way() -> None:
    """Have every consumer of this process read with these: aiokafka takes them from its modules, at each fetch."""
    read_leniently()
    fetcher.PartitionRecords = LeanRecords
    consumer.Fetcher = Fetcher
    subscription_state.TopicPartitionState = PartitionState


@dataclass(frozen=True, slots=True)
class Fetched:
    """The records of one call, by partition.

    `positions`: where the next fetch begins, also where no record came: markers, compaction and what was left out take
    offsets. `resets`: positions that were not there any more, as (from, to).
    """

    records: Mapping[Any, list[Any]]
    positions: Mapping[Any, int] = field(default_factory=dict)
    resets: Mapping[Any, tuple[int, int]] = field(default_factory=dict)


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread that talks to the broker."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        read_in_our_way()
        join_in_our_way()
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = self.app.fetch_wait_ms
        consumer._fetch_min_bytes = 1
        consumer._isolation_level = "read_committed"
        return consumer

    async def on_start(self) -> None:
        """A twin ends the whole process, in its own loop."""
        await super().on_start()
        app = self.app
        self._ensure_consumer()._coordinator.on_twin = lambda error: app.loop.call_soon_threadsafe(
            app.stop_at_once, error
        )

    def fatal_error(self) -> BaseException | None:
        """The reason why this member can neither join nor fetch any more, although its thread is alive."""
        if self._consumer is None:
            return None
        coordinator, fetching = self._consumer._coordinator, self._consumer._fetcher
        for task in (coordinator._coordination_task, fetching._fetch_task):
            if task.done() and not task.cancelled() and task.exception() is not None:
                return task.exception()  # type: ignore[no-any-return]
        return coordinator._pending_exception  # type: ignore[no-any-return]

    def highwater(self, tp: Any) -> int | None:
        """The end of what can be read: where the first transaction begins that is still open, if there is one.

        None where nothing was fetched yet, or the partition is another member's meanwhile.
        """
        for _, state in self._states([tp]):
            end: int | None = state.lso
            return end
        return None

    def held_back(self, tp: Any) -> int | None:
        """The beginning of what was written and cannot be read yet; None where nothing is."""
        for _, state in self._states([tp]):
            if state.lso is not None and state.highwater is not None and state.lso < state.highwater:
                return int(state.lso)
        return None

    async def _commit(self, offsets: Any) -> bool:
        """Try for a while. The client would try on for ever, for a topic that is no more: and then commit its offsets
        to another one of its name.
        """
        try:
            return bool(await asyncio.wait_for(super()._commit(offsets), _COMMIT_SECONDS))
        except TimeoutError:
            return False

    async def _fetch_records(self, consumer: Any, active_partitions: Any, **options: Any) -> Fetched:
        """The positions belong to the records: nothing runs in this thread between the two."""
        fetching = consumer._fetcher
        fetching.active, fetching.bulk_topics = self.consumer._get_active_partitions(), self.app.bulk_topics
        fetching.put_bulk_last()
        records = await super()._fetch_records(consumer, active_partitions, **options)
        positions: dict[Any, int] = {}
        resets: dict[Any, tuple[int, int]] = {}
        for tp, state in self._states(active_partitions):
            if state.has_valid_position:
                positions[tp] = state.position
                if state.left is not None:
                    resets[tp], state.left = (state.left, state.position), None
        return Fetched(records, positions, resets)

    async def seek_to_beginning(self, *partitions: Any) -> None:
        """Move there, as was wanted: no reset to speak of."""
        await super().seek_to_beginning(*partitions)
        for _, state in self._states(partitions):
            state.left = None

    def _states(self, tps: Any) -> Iterator[tuple[Any, Any]]:
        subscription = self._ensure_consumer()._subscription.subscription
        if subscription is None or subscription.assignment is None:
            return
        for tp in tps:
            state = subscription.assignment.state_value(tp)
            if state is not None:
                yield tp, state
