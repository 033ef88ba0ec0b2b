"""A batch on its way into a role: in hands, each record read or dead-lettered, and one line in the log at its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog

from agents.dead_letters import DeadLetters
from agents.metrics import Metrics
from agents.transport.batch import Batch, Incoming
from agents.waiting import until_done
from agents.wiring import Clock
from schemas.errors import TryLater

log = structlog.get_logger()

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Handful(Generic[T]):
    """Some records of a batch, one after the other, and what was read of those that can be read."""

    batch: Batch
    records: list[Incoming]
    items: list[T]


class Intake(Generic[T]):
    """Takes batches in for a role, at most `size` records at a time.

    `read` makes of a record what the role works with: TryLater is waited for, any other error dead-letters that record
    alone. `work` does all that a hand causes and says how many of what the log calls `counted` that was.
    """

    def __init__(
        self,
        read: Callable[[Incoming], T],
        work: Callable[[Handful[T]], Awaitable[int]],
        dead_letters: DeadLetters,
        metrics: Metrics,
        clock: Clock,
        *,
        size: int,
        counted: str,
    ) -> None:
        self._read, self._work = read, work
        self._dead_letters, self._metrics, self._clock = dead_letters, metrics, clock
        self._size, self._counted = size, counted

    async def take(self, batch: Batch) -> None:
        """Bring a batch in, hand after hand."""
        began, count = time.perf_counter(), 0
        for start in range(0, len(batch.records), self._size):
            records = batch.records[start : start + self._size]
            items = await self._read_each(batch, records)
            await batch.room()
            await asyncio.sleep(0)  # a hand of dead letters causes no work that would let others have their turn
            count += await self._work(Handful(batch, records, items))
        log_batch(batch, time.perf_counter() - began, self._metrics, **{self._counted: count})

    async def _read_each(self, batch: Batch, records: list[Incoming]) -> list[T]:
        items = []
        for record in records:
            try:
                items.append(await self._read_one(record))
            except Exception as error:  # one record that cannot be read never stops the others
                self._dead_letters.put(batch, record, error, self._clock())
        return items

    async def _read_one(self, record: Incoming) -> T:
        async def read() -> T:
            return self._read(record)

        try:
            return self._read(record)
        except TryLater:
            return await until_done(read, what="schema registry")


def log_batch(batch: Batch, seconds: float, metrics: Metrics, **counts: int) -> None:
    """The line of a batch whose work is done, after `seconds`."""
    topic = str(batch.tp.topic)
    metrics.batch_seconds.labels(topic).observe(seconds)
    log.info(
        "batch",
        topic=topic,
        partition=batch.partition,
        offset=batch.next_offset - 1,
        records=len(batch.records),
        **counts,
        milliseconds=round(seconds * 1000, 1),
    )
