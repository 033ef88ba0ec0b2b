"""Signs of a sick worker: loops that have to come round and do not."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from agents.aside import aside
from agents.telemetry.health import Loop, ProgressWatch, Status
from agents.telemetry.metrics import Metrics
from agents.transport.batch import Batch
from agents.transport.progress import Progress
from agents.waiting import Waits, retry_until_available
from schemas.errors import TryLater

JOINED: Any = SimpleNamespace(
    crash_reason=None, rebalancing_count=1, rebalancing=False, hot_topics=(),
    consumer=SimpleNamespace(assignment=lambda: (), blocked={}, beyond_tables=set(), open_transactions=dict),
)  # fmt: skip


class Watched:
    """A worker without partitions, and one loop."""

    def __init__(self) -> None:
        self.now, self.loop, self.waits = 0.0, Loop("due customers"), Waits()
        self.watch = ProgressWatch(
            JOINED, Metrics(), [self.loop], stall_seconds=60.0, clock=lambda: self.now, waits=self.waits
        )

    async def pass_seconds(self, seconds: int, *, rounds: bool) -> None:
        for _ in range(seconds):
            self.now += 1
            self.loop.iterations += rounds
            await self.watch.observe()


@pytest.mark.parametrize(
    ("must_progress", "rounds", "status", "stalled"),
    [
        (True, True, "ok", []),
        (False, True, "ok", []),
        (False, False, "ok", []),
        (True, False, "stalled", ["due customers"]),
    ],
)
async def test_a_loop_is_sick_when_it_has_to_come_round_and_does_not(
    must_progress: bool, rounds: bool, status: str, stalled: list[str]
) -> None:
    one = Watched()
    one.loop.must_progress = must_progress
    await one.pass_seconds(62, rounds=rounds)
    health = one.watch.health()
    assert (health.status, health.stalled, health.healthy) == (status, stalled, status == "ok")


async def test_the_seconds_of_a_loop_count_from_when_it_must_progress_and_end_with_a_round() -> None:
    one = Watched()
    await one.pass_seconds(100, rounds=False)
    one.loop.must_progress = True
    await one.pass_seconds(60, rounds=False)
    assert one.watch.health().healthy
    await one.pass_seconds(1, rounds=False)
    assert one.watch.is_stalled()
    await one.pass_seconds(1, rounds=True)
    assert (one.watch.is_stalled(), one.watch.stalled_seconds()) == (False, 0.0)


async def test_time_in_which_the_process_stood_still_is_no_stall() -> None:
    """As with its container or its machine: what it had in hand goes on where it was."""
    one = Watched()
    one.loop.must_progress = True
    await one.pass_seconds(40, rounds=False)
    one.now += 3600
    await one.pass_seconds(1, rounds=False)
    assert (one.watch.is_stalled(), round(one.watch.stalled_seconds())) == (False, 54)
    await one.pass_seconds(7, rounds=False)
    assert one.watch.health().stalled == ["due customers"], "it does not go on all the same"


async def test_waiting_for_what_is_away_is_no_stall_and_an_attempt_that_hangs_is_one() -> None:
    one, this = Watched(), object()
    one.loop.must_progress = True
    for _ in range(100):
        one.waits.refused(this, "Postgres")
        await one.pass_seconds(5, rounds=False)
    health = one.watch.health()
    assert (health.healthy, health.status, health.waits_for) == (True, "waiting", ["Postgres"])
    await one.pass_seconds(61, rounds=False)
    assert one.watch.health().status == "stalled"
    one.waits.over(this)
    await one.pass_seconds(1, rounds=True)
    assert (one.watch.health().status, one.watch.health().waits_for) == ("ok", [])


async def test_a_wait_is_over_however_it_ends() -> None:
    waits = Waits()
    answers: list[type[Exception] | None] = [TryLater, None, TryLater, ValueError]

    async def work() -> None:
        answer = answers.pop(0)
        if answer is not None:
            raise answer("away")
        assert waits.what() == ["Postgres"]

    await retry_until_available(work, what="Postgres", waits=waits)
    with pytest.raises(ValueError, match="away"):
        await retry_until_available(work, what="Postgres", waits=waits)
    assert (waits.what(), waits.refusals) == ([], 2)


async def test_before_there_is_progress_to_watch_the_start_says_what_it_waits_for() -> None:
    waits, one = Waits(), Watched()
    status, answers = Status(waits), asyncio.Event()

    async def ask() -> None:
        await answers.wait()

    assert (status.health().status, status.health().healthy) == ("starting", True)
    asking = asyncio.ensure_future(retry_until_available(ask, what="Kafka", waits=waits))
    await asyncio.sleep(0)
    assert (status.health().status, status.health().waits_for, waits.what()) == ("waiting", ["Kafka"], [])
    answers.set()
    await asking
    assert status.health().status == "starting"
    status.follow(one.watch)
    assert status.health().status == "ok"


async def test_blocking_work_aside_gives_back_what_it_returns_or_raises() -> None:
    assert await aside(lambda: 3) == 3
    with pytest.raises(TryLater, match="away"):
        await aside(_away)


def _away() -> None:
    raise TryLater("away")


# -- partitions -------------------------------------------------------------------------------------------------------

ONE, OTHER = TP("orders", 0), TP("orders", 1)


class Worked:
    """A worker with two partitions, each with a batch: the second's waits behind the first's."""

    def __init__(self) -> None:
        self.now, self.progress = 0.0, Progress()
        self.first, self.second = self.enter(ONE, 0), self.enter(OTHER, 0)
        self.first.begun = True
        consumer = SimpleNamespace(
            assignment=lambda: (ONE, OTHER), blocked={}, beyond_tables=set(), open_transactions=dict,
            progress=self.progress, highwater=lambda _: 1000, highwaters=self.asked,
            _committed_offset={ONE: 0, OTHER: 0},
        )  # fmt: skip
        app = SimpleNamespace(
            crash_reason=None, rebalancing_count=1, rebalancing=False, hot_topics={"orders"}, consumer=consumer
        )
        self.watch = ProgressWatch(app, Metrics(), stall_seconds=60.0, clock=lambda: self.now, waits=Waits())

    async def asked(self, *_: TP) -> dict[TP, int]:
        return {}

    def enter(self, tp: TP, offset: int) -> Batch:
        records: Any = [SimpleNamespace(offset=offset)]
        nobody: Any = SimpleNamespace(give_way=_at_once)
        batch = Batch(tp, records, owner=nobody, producer=nobody, epoch=0)
        self.progress.enter(batch)
        return batch

    async def pass_seconds(self, seconds: int) -> None:
        for _ in range(seconds):
            self.now += 1
            await self.watch.observe()


async def _at_once(_: Batch) -> None:
    """Nothing is more urgent."""


async def test_a_partition_whose_batch_waits_behind_others_gets_on_with_them() -> None:
    one = Worked()
    for offset in range(1, 5):
        await one.pass_seconds(50)
        one.progress.complete(one.first)
        one.first = one.enter(ONE, offset)
        one.first.begun = True
    assert one.watch.health().healthy
    await one.pass_seconds(62)
    assert one.watch.health().stalled == ["orders-0", "orders-1"]


async def test_a_long_batch_gets_on_with_each_slice_and_hangs_without() -> None:
    one = Worked()
    for _ in range(4):
        await one.pass_seconds(50)
        await one.first.give_way()
    assert one.watch.health().healthy
    await one.pass_seconds(62)
    assert not one.watch.health().healthy


async def test_a_batch_that_hangs_aside_is_a_stall_though_others_get_on() -> None:
    one = Worked()
    one.second.begun = True
    for offset in range(1, 5):
        await one.pass_seconds(50)
        one.progress.complete(one.first)
        one.first = one.enter(ONE, offset)
        one.first.begun = True
    assert one.watch.health().stalled == ["orders-1"]
