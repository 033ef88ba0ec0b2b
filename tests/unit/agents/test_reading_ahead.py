"""Chunks that are read while one is worked on: one at most, in order, and nothing is done after work that failed."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from faust.types import TP

from agents import waiting
from agents.dead_letters import DeadLetters
from agents.intake import Chunk, Intake
from agents.telemetry.metrics import Metrics
from agents.transport.batch import Batch
from agents.transport.lanes import Lanes
from agents.wiring import Wiring
from deploy.settings.settings import load_settings
from schemas.errors import BadRecord, TryLater
from tests.factory import NOW
from tests.unit.agents.test_intake import Record, Written
from tests.unit.agents.transport.test_lanes import Owner


class Role:
    """Reads numbers of several partitions; the work on a chunk goes on until it is let through."""

    def __init__(self, abreast: int = 1) -> None:
        self.abreast = abreast
        self.read_so_far, self.worked = list[int](), list[list[int]]()
        self.let = asyncio.Semaphore(0)
        self.at_work, self.away = 0, -1
        self.bad: dict[int, Exception] = {}
        self.owner, self.written = Owner(), Written()
        dead_letters = DeadLetters("recorder", Wiring(load_settings({})), Metrics())
        self.intake = Intake(
            self.read, self.work, dead_letters, Metrics(), lambda: NOW, size=3, counted="numbers", slice_size=1,
            reads_ahead=True, abreast=abreast,
        )  # fmt: skip
        self.lanes = Lanes(self.intake.take, abreast)
        self.batches: list[Batch] = []

    def read(self, record: Any) -> int:
        number = int(record.value)
        if number == self.away:
            raise TryLater("the schema registry does not answer")
        self.read_so_far.append(number)
        return number

    async def work(self, taken: Chunk[int]) -> int:
        self.at_work += 1
        assert self.at_work <= self.abreast, "so many at a time"
        try:
            await self.let.acquire()
            for number in taken.items:
                if number in self.bad:
                    raise self.bad[number]
            self.worked.append(taken.items)
        finally:
            self.at_work -= 1
        return len(taken.items)

    async def take(self, *batches: tuple[int, range]) -> None:
        """Batches of partitions, as an agent hands them over."""
        for partition, numbers in batches:
            records: list[Any] = [Record(number, str(number).encode()) for number in numbers]
            producer = cast(Any, self.written)
            batch = Batch(TP("decisions", partition), records, owner=self.owner, producer=producer, epoch=0)
            self.batches.append(batch)
            await self.lanes.take(batch)

    async def settle(self) -> None:
        """Until nothing moves that is not held up."""
        for _ in range(100):
            await asyncio.sleep(0)

    def go(self, chunks: int = 1000) -> None:
        for _ in range(chunks):
            self.let.release()


async def ended(taking: asyncio.Future[None], role: Role) -> None:
    await asyncio.wait_for(taking, 30)
    await role.settle()


@pytest.mark.parametrize(
    "batches",
    [((0, range(9)),), ((0, range(3)), (0, range(3, 6)), (0, range(6, 9))), tuple((n, range(3)) for n in range(3))],
    ids=["of one batch", "of one partition", "of several partitions"],
)
async def test_one_chunk_is_read_while_one_is_worked_on_and_never_more(batches: Any) -> None:
    role = Role()
    taking = asyncio.ensure_future(role.take(*batches))
    for done in (0, 1):
        await role.settle()
        assert (len(role.read_so_far), len(role.worked)) == (6 + 3 * done, done)
        role.go(1)
    role.go()
    await ended(taking, role)
    assert role.worked == [role.read_so_far[start : start + 3] for start in (0, 3, 6)]
    assert role.owner.done == [(partition, numbers[-1] + 1) for partition, numbers in batches]
    assert role.owner.errors == []


async def test_a_batch_is_open_until_its_work_is_done() -> None:
    role = Role()
    await asyncio.wait_for(role.take((0, range(2))), 30)
    await role.settle()
    assert (role.read_so_far, role.owner.done, role.batches[0].closed) == ([0, 1], [], False)
    role.go()
    await role.settle()
    assert role.owner.done == [(0, 2)]


async def test_nothing_is_done_after_work_that_failed() -> None:
    role = Role()
    role.bad[1] = ZeroDivisionError()
    taking = asyncio.ensure_future(role.take((0, range(3)), (0, range(3, 6)), (1, range(3))))
    await role.settle()
    role.go()
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(taking, 30)
    await role.settle()
    assert (role.worked, role.owner.done) == ([], [])
    assert [type(error) for error in role.owner.errors] == [ZeroDivisionError]


async def test_a_record_that_the_work_refuses_is_dead_lettered_though_the_next_chunk_is_in_hand() -> None:
    role = Role()
    role.bad[4] = BadRecord("Postgres cannot keep it")
    role.go()
    await asyncio.wait_for(role.take((0, range(3)), (0, range(3, 6)), (0, range(6, 9))), 30)
    await role.settle()
    assert [number for chunk in role.worked for number in chunk] == [0, 1, 2, 3, 5, 6, 7, 8]
    assert [output.value for output in role.written.outputs] == [b"4"]
    assert all(batch.closed for batch in role.batches)
    assert role.owner.done == [(0, 3), (0, 9)], "the dead-letter is not acknowledged yet"


async def test_a_partition_that_waits_for_the_registry_keeps_its_order_behind_what_is_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waiting, "_FIRST_PAUSE", 0.001)
    role = Role()
    role.away = 4
    taking = asyncio.ensure_future(role.take((0, range(6)), (0, range(6, 9)), (1, range(20, 23))))
    await role.settle()
    role.go()
    await ended(taking, role)
    assert role.worked == [[0, 1, 2], [20, 21, 22]]
    assert role.owner.done == [(1, 23)]
    role.away = -1
    for task in list(role.lanes._aside.values()):
        await asyncio.wait_for(task, 30)
    assert role.worked == [[0, 1, 2], [20, 21, 22], [3, 4, 5], [6, 7, 8]]
    assert role.owner.done == [(1, 23), (0, 6), (0, 9)]


async def test_work_that_is_cancelled_lets_nothing_after_it_be_done() -> None:
    role = Role()
    taking = asyncio.ensure_future(role.take((0, range(3)), (0, range(3, 6))))
    await role.settle()
    for task in list(role.lanes._ending):
        task.cancel()
    await role.settle()
    role.go()
    await asyncio.wait({taking}, timeout=30)
    assert (role.worked, role.owner.done) == ([], [])


async def test_partitions_go_abreast_each_in_its_order_and_no_more_of_them_than_are_to() -> None:
    role = Role(abreast=2)
    await asyncio.wait_for(
        role.take(*((partition, range(10 * partition, 10 * partition + 6)) for partition in range(3))), 30
    )
    await role.settle()
    assert (role.at_work, sorted(role.read_so_far)) == (2, [*range(6), *range(10, 16)]), "two are worked on, two read"
    assert [one.begun for one in role.batches] == [True, True, False]
    role.go(2)
    await role.settle()
    assert sorted(role.worked) == [[0, 1, 2], [10, 11, 12]]
    role.go()
    await role.settle()
    for partition in range(3):
        chunks = [chunk for chunk in role.worked if chunk[0] // 10 == partition]
        assert chunks == [
            list(range(10 * partition, 10 * partition + 3)),
            list(range(10 * partition + 3, 10 * partition + 6)),
        ]
    assert sorted(role.owner.done) == [(0, 6), (1, 16), (2, 26)]


async def test_batches_of_a_partition_that_goes_abreast_keep_their_order() -> None:
    role = Role(abreast=2)
    await asyncio.wait_for(role.take((0, range(3)), (0, range(3, 6)), (0, range(6, 9)), (1, range(20, 23))), 30)
    await role.settle()
    assert (role.at_work, role.worked) == (2, []), "the other partition does not wait behind the first"
    role.go()
    await role.settle()
    assert [chunk for chunk in role.worked if chunk[0] < 20] == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert [place for place in role.owner.done if place[0] == 0] == [(0, 3), (0, 6), (0, 9)]


async def test_abreast_nothing_is_begun_after_work_that_failed_and_nothing_of_its_batch_is_done() -> None:
    role = Role(abreast=2)
    role.bad[1] = ZeroDivisionError()
    await asyncio.wait_for(role.take((0, range(6)), (1, range(10, 13)), (2, range(20, 23))), 30)
    await role.settle()
    role.go()
    await role.settle()
    assert [10, 11, 12] in role.worked, "it was under way"
    assert [3, 4, 5] not in role.worked
    assert [20, 21, 22] not in role.worked
    assert role.owner.done in ([], [(1, 13)])
    assert {type(error) for error in role.owner.errors} == {ZeroDivisionError}


async def test_abreast_a_partition_that_waits_for_the_registry_takes_nobodys_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waiting, "_FIRST_PAUSE", 0.001)
    role = Role(abreast=2)
    role.away = 1
    role.go()
    await asyncio.wait_for(role.take((0, range(3)), (0, range(3, 6)), (1, range(10, 13)), (2, range(20, 23))), 30)
    await role.settle()
    assert sorted(role.owner.done) == [(1, 13), (2, 23)]
    role.away = -1
    for task in list(role.lanes._aside.values()):
        await asyncio.wait_for(task, 30)
    await role.settle()
    assert role.worked[-2:] == [[0, 1, 2], [3, 4, 5]]
    assert [place for place in role.owner.done if place[0] == 0] == [(0, 3), (0, 6)]
