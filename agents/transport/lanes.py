"""Batches of a topic, each partition's in their order: one that has to wait keeps none of another partition waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

from agents.transport.batch import Batch

if TYPE_CHECKING:
    from faust.types import TP

BatchWork = Callable[[Batch], Awaitable[None]]


class Lanes:
    """Have `work` done on each batch, one at a time as long as none leaves a `rest` behind.

    What is left is done aside, and what comes of that partition meanwhile after it. How much that may be is limited by
    what may be in flight of a partition. An error of it ends the process as any other.

    One whose `ending` goes on keeps nobody waiting, not even its own partition: whoever gave it sees to the order.

    With more than one `abreast`, so many batches of different partitions are worked on at once. Those that have to wait
    for that have not begun, so that no more come of their partition than it may have waiting.
    """

    def __init__(self, work: BatchWork, abreast: int = 1) -> None:
        self._work = work
        self._abreast = abreast
        self._places = asyncio.Semaphore(abreast)
        self._aside: dict[TP, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()

    async def take(self, batch: Batch) -> None:
        """Do the work on a batch and close it, or leave it to be done aside, or to end by itself."""
        before = self._aside.get(batch.tp)
        if self._abreast > 1:
            self._put_aside(batch, partial(self._work_abreast, batch), before)
            return
        batch.begun = True
        if before is not None and not before.done():
            self._put_aside(batch, partial(self._work, batch), before)
            return
        await self._work(batch)
        if batch.rest is not None:
            self._put_aside(batch, batch.take_rest(), None)
        else:
            self._close(batch)

    async def _work_abreast(self, batch: Batch) -> None:
        """Do the work once there is a place; what it leaves behind is done without one."""
        async with self._places:
            batch.begun = True
            await self._work(batch)

    def _close(self, batch: Batch) -> None:
        """Close a batch, or leave it to end by itself."""
        if batch.ending is None:
            batch.close()
            return
        ending = asyncio.create_task(self._end(batch))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    def _put_aside(self, batch: Batch, work: Callable[[], Awaitable[None]], before: asyncio.Task[None] | None) -> None:
        self._aside[batch.tp] = asyncio.create_task(self._go_on(batch, work, before))

    async def _go_on(
        self, batch: Batch, work: Callable[[], Awaitable[None]], before: asyncio.Task[None] | None
    ) -> None:
        if before is not None:
            await asyncio.wait({before})
        try:
            await work()
            while batch.rest is not None:
                await batch.take_rest()()
        except Exception as error:
            batch.owner.delivery_failed(error)
            return
        self._close(batch)

    async def _end(self, batch: Batch) -> None:
        """Close a batch once what goes on of it has ended."""
        try:
            if batch.ending is not None:
                await batch.ending()
        except Exception as error:
            batch.owner.delivery_failed(error)
            return
        batch.close()
