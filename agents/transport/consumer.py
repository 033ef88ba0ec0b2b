"""Faust's consumer, with whole batches on the hot topics. README.md says why each override exists."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from typing import Any

import structlog
from faust.events import Event
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage
from mode.utils.futures import notify

from agents.broker.records import Incoming
from agents.transport.batch import Batch
from agents.transport.changelog import Changelogs
from agents.transport.fetched import Unreadable
from agents.transport.fetching import Blocked, ConsumerThread, Fetched
from agents.transport.pauses import Patience
from agents.transport.progress import Progress
from agents.transport.turns import Turns

log = structlog.get_logger()

_FETCH_TIMEOUT = 0.5
_FETCH_TIMEOUT_FOR_SOME = 0.02
"""Where some partitions are full: they may have room soon, and a fetch for the others would go on waiting."""
_IDLE = 0.2
_LOOK_AGAIN = 10.0
"""Seconds until a partition whose log cannot be read is tried again: another broker may lead it, with a sound copy."""
_DRAIN_SECONDS = 8.0
_BULK_RECORDS = 250
"""Records of a batch of a bulk topic: where it has a small share, it gets on visibly all the same."""

BEYOND_TABLES = (
    "it was added to a live topic, so customers moved and their rows did not: what is written there is kept and not "
    "read. Move to topics with more partitions: deploy/README.md, More partitions"
)


class Consumer(driver.Consumer):
    """Delivers one stream item per fetched batch and commits by `Progress` instead of by single events."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.progress = Progress()
        self._room = asyncio.Event()
        self._patience = Patience(_FETCH_TIMEOUT_FOR_SOME, _IDLE)
        self._seeking = 0
        self._dropped = False
        self.blocked: dict[TP, Blocked] = {}
        self._look_again: dict[TP, float] = {}
        self._begun_at: dict[TP, float] = {}
        self._anew: dict[TP, int] = {}
        """Where to begin in place of what is committed, until something is committed anew; 0 is the log's beginning."""
        self._gone_back: dict[TP, int] = {}
        self.beyond_tables: set[TP] = set()
        super().__init__(*args, **kwargs)
        self._turns = Turns(lambda: self.progress.is_working(self.app.bulk_topics))
        self.changelogs = Changelogs(self.app)

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Nothing: the stock check mixes wall clock and monotonic time; `agents/telemetry/health.py` watches."""

    # -- how a batch ends ---------------------------------------------------------------------------------------

    def batch_done(self, batch: Batch) -> None:
        """Every output of a closed batch is acknowledged: it may be committed once all before it are."""
        for table in self.app.tables.values() if batch.written else ():
            if table.changelog_topic_name in batch.written:
                changelog = TP(table.changelog_topic_name, batch.partition)
                table.data.set_persisted_offset(changelog, batch.written[changelog.topic])
        batch.message.acked = True
        self._unacked_messages.discard(batch.message)
        for committable in self.progress.complete(batch):
            self.app.on_batch_committable(committable)
        self._room.set()
        notify(self._waiting_for_ack)

    def delivery_failed(self, error: BaseException) -> None:
        """An output was refused: stop the process, so that nothing at or after its batch is ever committed."""
        self.app.outputs.abandon()
        self.app.stop_at_once(error)

    async def give_way(self, batch: Batch) -> None:
        """Have a batch of a bulk topic wait for its turn."""
        if batch.tp.topic in self.app.bulk_topics:
            await self._turns.take()

    def fatal_error(self) -> BaseException | None:
        """An error that the client cannot recover from."""
        error: BaseException | None = self._thread.fatal_error()
        return error

    # -- what may be committed ----------------------------------------------------------------------------------

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        yield from super()._filter_tps_with_pending_acks(topics)
        yield from (tp for tp in self.progress.committable() if topics is None or tp in topics or tp.topic in topics)

    def _new_offset(self, tp: TP) -> int | None:
        if tp.topic in self.app.hot_topics:
            return self.progress.next_offset(tp)
        offset: int | None = super()._new_offset(tp)
        return offset

    def _should_commit(self, tp: TP, offset: int) -> bool:
        """Whatever is news, lower offsets of a topic that was made anew too."""
        if tp.topic in self.app.hot_topics:
            return self.progress.is_news(tp, offset)
        return bool(super()._should_commit(tp, offset))

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        """Commit. Faust takes offsets for committed even where that failed, and whichever topic they were of."""
        anew = self._anew.keys() & offsets.keys()
        is_done = bool(await super()._commit(offsets))
        if is_done:
            self.progress.committed(offsets)
            for tp in anew:
                self._anew.pop(tp, None)
        return is_done

    # -- rebalance, seek and stop -------------------------------------------------------------------------------

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Let the running batches finish and commit them, then forget what belonged to the old assignment."""
        await super().on_partitions_revoked(revoked)
        self.progress.forget()
        self.blocked.clear()
        self._anew.clear()
        self._gone_back.clear()

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Start a recovery that no signal of an earlier one can end."""
        self.app.tables.recovery.signal_recovery_end.clear()
        self.beyond_tables = self._find_beyond_tables(assigned)
        await super().on_partitions_assigned(assigned, generation_id)

    async def perform_seek(self) -> None:
        """Move to the committed offsets; what was fetched before or during the move belongs to the past."""
        await self._moving_positions(super().perform_seek)
        for tp in self.assignment():
            if self._committed_offset[tp] is None:
                self._begun_at[tp] = time.monotonic()

    async def _moving_positions(self, move: Any) -> None:
        self.progress.forget()
        self._seeking += 1
        try:
            await move()
        finally:
            self._seeking -= 1
            self.progress.forget()

    async def _seek_to_committed_offsets(self) -> None:
        """Go back after fetched records were dropped: else the next batch would follow them and they would be lost."""
        await self._moving_positions(self._seek_hot_partitions)
        self._dropped = False

    async def _seek_hot_partitions(self) -> None:
        for tp in [tp for tp in self.assignment() if tp.topic in self.app.hot_topics]:
            offset = self._anew.get(tp, self._committed_offset[tp])
            if not offset:
                await self._thread.seek_to_beginning(driver.ensure_aiokafka_TP(tp))
            else:
                await self.seek_wait({tp: offset})

    async def on_stop(self) -> None:
        """Give the reports of closed batches a moment, then commit."""
        deadline = time.monotonic() + _DRAIN_SECONDS
        while self.progress.awaiting_reports() and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        await super().on_stop()

    # -- fetching -----------------------------------------------------------------------------------------------

    async def _drain_messages(self, fetcher: Any) -> None:
        """Fetch and deliver until stopped. Faust runs this as the body of its fetcher service."""
        try:
            while not self._fetching_ended(fetcher):
                await self._fetch_once(fetcher)
        except (asyncio.CancelledError, *self.consumer_stopped_errors):
            if not self.app.should_stop:
                raise

    def _fetching_ended(self, fetcher: Any) -> bool:
        return bool(self._stopped.is_set() or fetcher._stopped.is_set())

    async def _fetch_once(self, fetcher: Any) -> None:
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
            return
        if self._dropped and not self.app.rebalancing:
            await self._seek_to_committed_offsets()
        wanted, is_whole = self._wanted_partitions()
        if not wanted:  # an empty set would mean all partitions to aiokafka
            self._room.clear()
            await self.wait_first(self._room.wait(), timeout=_IDLE)
            return
        before = self._position_of_the_world()
        fetched: Fetched = await (
            self._getmany(wanted, timeout=_FETCH_TIMEOUT) if is_whole else self._fetch_some(wanted)
        )
        if not fetched.records or self._fetching_ended(fetcher):
            await asyncio.sleep(0)
        if not self._fetching_ended(fetcher):
            await self._hand_over(fetched, before)

    async def _fetch_some(self, wanted: set[TP]) -> Fetched:
        """Fetch for some, as long as the others may be given no more."""
        seconds = self._patience.seconds(has_moved=self._room.is_set())
        self._room.clear()
        fetched: Fetched = await self._getmany(wanted, timeout=seconds)
        return fetched

    def _wanted_partitions(self) -> tuple[set[TP], bool]:
        """Those that may be given more, and whether these are all."""
        active = set(self._get_active_partitions())
        hot = {tp for tp in active if tp.topic in self.app.hot_topics}
        unwanted = hot if self._seeking or self._dropped else self.progress.full(hot, self.app.in_flight)
        return active - unwanted - self._left_alone() - self.beyond_tables, not unwanted

    def _left_alone(self) -> set[TP]:
        """Those that cannot be read, for a while."""
        now = time.monotonic()
        return {tp for tp in self.blocked if self._look_again[tp] > now}

    def _find_beyond_tables(self, assigned: set[TP]) -> set[TP]:
        """Partitions that were added to an input: customers moved there, and their rows did not. Never read."""
        counts = [table.partitions for table in self.app.tables.values()]
        if not counts:
            return set()
        beyond = {tp for tp in assigned if tp.topic in self.app.hot_topics and tp.partition >= min(counts)}
        for tp in sorted(beyond - self.beyond_tables):
            log.error("partition_not_read", topic=tp.topic, partition=tp.partition, because=BEYOND_TABLES)
        return beyond

    def _position_of_the_world(self) -> tuple[bool, int, int]:
        """State that must not change while records are under way: flow, group generation, epoch."""
        return bool(self.flow_active), int(self.app.consumer_generation_id), self.progress.epoch

    async def _hand_over(self, fetched: Fetched, before: tuple[bool, int, int]) -> None:
        """All of it, as long as the world is the one that it was fetched in.

        A position that came without records needs no way back where it is not: the next fetch says it again.
        """
        for source in {**fetched.positions, **fetched.records}:
            if self._position_of_the_world() != before:
                self._dropped = self._dropped or bool(fetched.records)
                return
            tp = TP(source.topic, source.partition)
            if source in fetched.resets:
                self._position_was_reset(tp, *fetched.resets[source])
            records = self._readable(tp, fetched.records.get(source, []))
            position = fetched.positions.get(source, records[-1].offset + 1 if records else 0)
            mark = self.blocked.get(tp)
            if mark is not None and position > mark.offset:  # the damaged batch of a changelog was stepped over
                position = mark.offset
                await self.seek_wait({tp: position})
            if tp.topic in self.app.hot_topics:
                await self._advance(tp, records, position, before)
            elif tp.topic in self.app.tables.changelog_topics:
                await self.changelogs.apply(tp, records, position)
            else:
                raise RuntimeError(f"{tp.topic} is read by no batch agent and is no changelog")

    async def _advance(self, tp: TP, records: list[Incoming], position: int, before: tuple[bool, int, int]) -> None:
        """Deliver what came; where the position moved on without records, it is committed like an empty batch."""
        if records:
            self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
            size = _BULK_RECORDS if tp.topic in self.app.bulk_topics else len(records)
            for start in range(0, len(records), size):
                await self._deliver_batch(tp, records[start : start + size], before)
        if not self._dropped:
            self.progress.move(tp, position)

    async def _deliver_batch(self, tp: TP, records: list[Incoming], before: tuple[bool, int, int]) -> None:
        await self.app.flow_control.acquire()
        if self._position_of_the_world() != before:
            self._dropped = True
            return
        batch = Batch(tp, records, owner=self, producer=self.app.outputs, epoch=self.progress.epoch)
        batch.message = self._message_for(batch)
        self.progress.enter(batch)
        (channel,) = self.app.topics._tp_index[tp]
        channel.queue.put_nowait(Event(self.app, None, batch, None, batch.message))

    def _position_was_reset(self, tp: TP, left: int, to: int) -> None:
        """The broker had nothing at the position, so reading goes on at the log's beginning."""
        self._begun_at[tp] = time.monotonic()
        if to >= left:
            log.warning(
                "records_gone",
                topic=tp.topic, partition=tp.partition, from_offset=left, to_offset=to,
                because="retention or a deletion took these offsets before they were read",
            )  # fmt: skip
            return
        log.warning(
            "topic_begins_anew",
            topic=tp.topic, partition=tp.partition, from_offset=left, to_offset=to,
            because="the topic was made anew, or lost its end; it is read from its beginning and committed anew",
        )  # fmt: skip
        self._read_anew(tp)
        if tp.topic in self.app.tables.changelog_topics:
            self.changelogs.begin_anew(tp)

    def begin_anew(self, topic: str, since: float) -> None:
        """Go to the beginning of a topic that was made anew after `since`, where that has not come by itself."""
        for tp in [tp for tp in self.assignment() if tp.topic == topic and self._begun_at.get(tp, 0.0) < since]:
            log.warning("topic_begins_anew", topic=topic, partition=tp.partition, because="the topic was made anew")
            self._read_anew(tp)
            self._dropped = True  # which has the next fetch go back to what is committed: nothing

    def go_back(self, tp: TP, offset: int) -> bool:
        """Read a partition again from an offset on, and commit it anew: what is in flight belongs to the past.

        False where that was done since it was assigned: what the log had there is not there any more.
        """
        if tp not in self.assignment() or self._gone_back.get(tp) == offset:
            return False
        self._gone_back[tp] = self._anew[tp] = offset
        self.progress.forget()
        self._dropped = True  # which has the next fetch go there
        self._room.set()
        return True

    def arrived(self, tp: TP, offset: int) -> None:
        """Records came from an offset on: where it was gone back to, it may be again."""
        if self._gone_back.get(tp) == offset:
            del self._gone_back[tp]

    def _read_anew(self, tp: TP) -> None:
        """Forget what was committed before: it is of another topic, until something of this one is."""
        self.progress.forget_partition(tp)
        self._committed_offset[tp] = None
        self._anew[tp] = 0

    def _readable(self, tp: TP, records: list[Any]) -> list[Any]:
        """The records before what cannot be read. There reading stops: past it nothing is committed, ever."""
        if not records:
            return records
        mark = _obstacle(records, is_hot=tp.topic in self.app.hot_topics)
        if mark is None:
            self.blocked.pop(tp, None)
            return records
        self._look_again[tp] = time.monotonic() + _LOOK_AGAIN
        if tp not in self.blocked:
            log.error("log_blocked", topic=tp.topic, partition=tp.partition, offset=mark.offset, why=mark.why)
        self.blocked[tp] = mark
        return [record for record in records if record.offset < mark.offset]

    def open_transactions(self) -> dict[TP, int]:
        """The first offset of a transaction that is not over, by partition that has more than can be read."""
        return {tp: end for tp in self.assignment() if (end := self._thread.held_back(tp)) is not None}

    def _message_for(self, batch: Batch) -> Any:
        """A message that Faust counts references on. Two: the stream's own acknowledgement, in Cython, is never it."""
        tp, generation = batch.tp, self.app.consumer_generation_id
        last = batch.next_offset - 1
        message = ConsumerMessage(
            tp.topic, tp.partition, last, None, 0, None, None, b"", None, tp=tp, generation_id=generation
        )
        message.incref(2)
        return message


def _obstacle(records: list[Any], *, is_hot: bool) -> Blocked | None:
    """The obstacle to reading on. A damaged batch of an input is dead-lettered whole; rows cannot do without theirs."""
    if type(records[-1]) is Blocked:
        return records[-1]
    lost = None if is_hot else next((one for one in records if type(one) is Unreadable), None)
    return None if lost is None else Blocked(lost.first, lost.why)


class Transport(driver.Transport):
    """Faust's transport with our consumer."""

    Consumer = Consumer
