"""A batch that waits keeps its own partition in order and no other one waiting."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from faust.types import TP

from agents.transport.batch import Batch
from agents.transport.lanes import Lanes


class Owner:
    """Notes which batches are done, and what failed."""

    def __init__(self) -> None:
        self.done: list[tuple[int, int]] = []
        self.errors: list[BaseException] = []

    def batch_done(self, batch: Batch) -> None:
        self.done.append((batch.partition, batch.next_offset))

    def delivery_failed(self, error: BaseException) -> None:
        self.errors.append(error)

    async def give_way(self, batch: Batch) -> None:
        """Nothing is more urgent."""


class Record:
    def __init__(self, offset: int) -> None:
        self.offset = offset


class Stage:
    """Work that leaves a rest for each offset of `away`, until it is `back`."""

    def __init__(self, *away: int) -> None:
        self.owner, self.away, self.back = Owner(), set(away), asyncio.Event()
        self.worked: list[tuple[int, int]] = []
        self.lanes = Lanes(self.work)

    async def work(self, batch: Batch) -> None:
        if batch.next_offset in self.away:
            batch.rest = lambda: self.later(batch)
            return
        self.worked.append((batch.partition, batch.next_offset))

    async def later(self, batch: Batch) -> None:
        await self.back.wait()
        self.worked.append((batch.partition, batch.next_offset))

    async def take(self, *places: tuple[int, int]) -> None:
        for partition, next_offset in places:
            records: Any = [Record(next_offset - 1)]
            producer = cast(Any, None)
            await self.lanes.take(Batch(TP("t", partition), records, owner=self.owner, producer=producer, epoch=0))

    async def come_back(self) -> None:
        self.back.set()
        for task in list(self.lanes._aside.values()):
            await task


async def test_others_go_on_and_the_partition_keeps_its_order() -> None:
    stage = Stage(1)
    await stage.take((0, 1), (0, 2), (1, 1000), (0, 3), (1, 1001))
    assert stage.owner.done == [(1, 1000), (1, 1001)]
    await stage.come_back()
    assert stage.worked == [(1, 1000), (1, 1001), (0, 1), (0, 2), (0, 3)]
    assert [place for place in stage.owner.done if place[0] == 0] == [(0, 1), (0, 2), (0, 3)]
    await stage.take((0, 4))
    assert stage.owner.done[-1] == (0, 4)


async def test_one_behind_that_waits_as_well_waits_in_its_turn() -> None:
    stage = Stage(1, 3)
    await stage.take((0, 1), (0, 2), (0, 3), (0, 4))
    await stage.come_back()
    assert stage.worked == [(0, 1), (0, 2), (0, 3), (0, 4)]


async def test_an_error_aside_ends_the_process_and_completes_nothing() -> None:
    stage = Stage(1)

    async def broken(_batch: Batch) -> None:
        raise ZeroDivisionError

    stage.later = broken  # type: ignore[assignment,method-assign]
    await stage.take((0, 1))
    await stage.come_back()
    assert ([type(error) for error in stage.owner.errors], stage.owner.done) == ([ZeroDivisionError], [])


async def test_an_error_at_once_goes_through() -> None:
    async def broken(_batch: Batch) -> None:
        raise ZeroDivisionError

    stage = Stage()
    stage.lanes = Lanes(broken)
    with pytest.raises(ZeroDivisionError):
        await stage.take((0, 1))
