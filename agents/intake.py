"""A batch on its way into a role: in chunks, each record read or dead-lettered; and the log of what is done."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

import structlog

from agents.broker.records import Incoming
from agents.clock import Clock
from agents.dead_letters import DeadLetters
from agents.telemetry.metrics import Metrics
from agents.transport.batch import Batch
from agents.waiting import retry_until_available
from schemas.errors import NOT_OF_THE_RECORD, BadRecord, TryLater

if TYPE_CHECKING:
    from faust.types import TP

log = structlog.get_logger()

T = TypeVar("T")

_LINE_EVERY = 1.0


@dataclass(frozen=True, slots=True)
class Chunk(Generic[T]):
    """Some records of a batch, one after the other, and what was read of those that can be read."""

    batch: Batch
    records: list[Incoming]
    read: list[tuple[Incoming, T]]

    @property
    def items(self) -> list[T]:
        """The items that were read, in the order of the records."""
        return [item for _, item in self.read]

    def halves(self) -> tuple[Chunk[T], Chunk[T]]:
        """The same in two; at least two records have been read."""
        middle = len(self.read) // 2
        offset = self.read[middle][0].offset
        at = next(number for number, record in enumerate(self.records) if record.offset == offset)
        first = Chunk(self.batch, self.records[:at], self.read[:middle])
        return first, Chunk(self.batch, self.records[at:], self.read[middle:])


class Intake(Generic[T]):
    """Takes batches in for a role, at most `size` records at a time.

    `read` makes of a record what the role works with: TryLater is waited for, an error of the record dead-letters that
    record alone, any other ends the process. `work` does all that a chunk causes and says how many of what the log
    calls `counted` that was; where it raises BadRecord it has changed nothing, and the record to blame is looked for.
    After each `slice_size` records that are read, where it is given, others have a turn: their answers may be there.
    Where it `reads_ahead`, the next chunk is read while one is worked on, never more: of the same partition or another
    one, of this batch or the next. Work is done in the order of reading, and nothing after work that failed. Where
    partitions go `abreast`, that is so of each partition: chunks of so many different ones are worked on at once.
    """

    def __init__(
        self,
        read: Callable[[Incoming], T],
        work: Callable[[Chunk[T]], Awaitable[int]],
        dead_letters: DeadLetters,
        metrics: Metrics,
        clock: Clock,
        *,
        size: int,
        counted: str,
        slice_size: int | None = None,
        reads_ahead: bool = False,
        abreast: int = 1,
    ) -> None:
        self._read, self._work = read, work
        self._dead_letters, self._log, self._clock = dead_letters, BatchLog(metrics), clock
        self._size, self._counted, self._slice, self._reads_ahead = size, counted, slice_size, reads_ahead
        self._abreast, self._places = abreast, asyncio.Semaphore(abreast)
        self._turns: defaultdict[TP | None, asyncio.Lock] = defaultdict(asyncio.Lock)
        """Of the work: what was read aside does not meddle with what goes on meanwhile."""
        self._failure: BaseException | None = None

    async def take(self, batch: Batch, begin: int = 0, *, is_aside: bool = False) -> None:
        """Bring a batch in, chunk after chunk. Where something is away, the rest is left to be done aside."""
        began, count, under_way = time.perf_counter(), 0, list[asyncio.Task[int]]()
        for start in range(begin, len(batch.records), self._size):
            records = batch.records[start : start + self._size]
            try:
                read, refused = await self._read_each(records, waits=is_aside)
            except TryLater:
                batch.rest = partial(self.take, batch, start, is_aside=True)
                break
            for record, error in refused:
                self._dead_letters.put(batch, record, error, self._clock())
            refused.clear()  # an error's traceback has the frame that made this list, and with it the whole chunk
            await batch.wait_for_capacity()
            await asyncio.sleep(0)  # a chunk of dead letters causes no work that would let others have their turn
            taken = Chunk(batch, records, read)
            if self._reads_ahead:
                under_way.append(await self._begin(taken))
            else:
                async with self._turn(taken):
                    count += await self._work_on(taken)
        if under_way and batch.rest is None:
            batch.ending = partial(self._end, batch, began, under_way)
        else:  # what is left comes after what is under way, which has to be known to be done
            self._ended(batch, began, count + sum([await one for one in under_way]))

    async def _begin(self, taken: Chunk[T]) -> asyncio.Task[int]:
        """Begin the work on a chunk, once that on the one before is done. Raises the error that it ended with."""
        turn = self._turn(taken)
        await turn.acquire()
        await self._places.acquire()
        if self._failure is not None:
            self._let_go(turn)
            raise self._failure
        work = asyncio.create_task(self._work_on(taken))
        work.add_done_callback(partial(self._let_next, turn))
        return work

    def _turn(self, taken: Chunk[T]) -> asyncio.Lock:
        """One for all partitions where they do not go abreast."""
        return self._turns[taken.batch.tp if self._abreast > 1 else None]

    def _let_next(self, turn: asyncio.Lock, work: asyncio.Task[int]) -> None:
        """Give the turn to the next. After work that failed or was cancelled nothing is done: a hole would be left."""
        self._failure = self._failure or (asyncio.CancelledError() if work.cancelled() else work.exception())
        self._let_go(turn)

    def _let_go(self, turn: asyncio.Lock) -> None:
        self._places.release()
        turn.release()

    async def _end(self, batch: Batch, began: float, under_way: list[asyncio.Task[int]]) -> None:
        self._ended(batch, began, sum([await one for one in under_way]))

    def _ended(self, batch: Batch, began: float, count: int) -> None:
        self._log.ended(batch, time.perf_counter() - began, **{self._counted: count})

    async def _work_on(self, taken: Chunk[T]) -> int:
        """Do the work; without the record that nobody knew to be bad before."""
        try:
            return await self._work(taken)
        except BadRecord as error:
            if not taken.read:
                raise
            if len(taken.read) > 1:
                first, second = taken.halves()
                return await self._work_on(first) + await self._work_on(second)
            self._dead_letters.put(taken.batch, taken.read[0][0], error, self._clock())
            return await self._work(Chunk(taken.batch, taken.records, []))

    async def _read_each(
        self, records: list[Incoming], *, waits: bool
    ) -> tuple[list[tuple[Incoming, T]], list[tuple[Incoming, Exception]]]:
        """Records that were read, and those that were not: none stops the others. Raises TryLater unless it `waits`."""
        read, refused = [], []
        for number, record in enumerate(records, 1):
            if self._slice and number % self._slice == 0:
                await asyncio.sleep(0)
            try:
                try:
                    item = self._read(record)
                except TryLater:
                    if not waits:
                        raise
                    item = await retry_until_available(partial(self._read_again, record), what="schema registry")
            except NOT_OF_THE_RECORD:
                raise
            except Exception as error:
                refused.append((record, error))
            else:
                read.append((record, item))
        return read, refused

    async def _read_again(self, record: Incoming) -> T:
        return self._read(record)


class BatchLog:
    """The lines of batches whose work is done: of a topic one a second at most, with the sums since the one before.

    Under live load a batch has a record or two: a line each took a twelfth of the matcher's main thread, for nobody.
    """

    def __init__(self, metrics: Metrics, *, ticks: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._ticks = metrics.batch_seconds, ticks
        self._sums: dict[str, Counter[str]] = {}
        self._written_at: dict[str, float] = {}

    def ended(self, batch: Batch, seconds: float, **counts: int) -> None:
        """Note a batch that took `seconds`."""
        topic = str(batch.tp.topic)
        self._seconds.labels(topic).observe(seconds)
        sums = self._sums.setdefault(topic, Counter())
        sums.update(counts, batches=1, records=len(batch.records), microseconds=round(seconds * 1e6))
        now = self._ticks()
        if now - self._written_at.get(topic, -_LINE_EVERY) < _LINE_EVERY:
            return
        del self._sums[topic]
        self._written_at[topic] = now
        took = round(sums.pop("microseconds") / 1000, 1)
        place = {"partition": batch.partition, "offset": batch.next_offset - 1}
        log.info("batch", topic=topic, **place, **sums, milliseconds=took)
