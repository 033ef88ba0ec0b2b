"""A fetcher that is refused asks again after a pause, and only for what was refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.structs import TopicPartition

from agents.transport.consumer import Consumer
from agents.transport.fetching import Fetched, Fetcher, FetchWait, read_in_our_way
from agents.transport.pauses import PAUSE, Patience, Pauses

ORDERS = [TopicPartition("orders", number) for number in range(2)]
_NOT_LEADER, _STORAGE, _UNKNOWN = 6, 56, 3
_ROUNDS = 200
"""Turns of the loop, in each of which a fetcher that does not pause asks again."""


class Clock:
    """A time that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Broker:
    """Answers each fetch at once: with an error for some partitions, with nothing for the others."""

    def __init__(self) -> None:
        self.errors: dict[int, int] = {}
        self.leader: int | None = 1
        self.asked: list[list[int]] = []
        self.updates = 0
        self._loop, self._metadata_max_age_ms = asyncio.get_running_loop(), 30_000
        self.cluster = SimpleNamespace(leader_for_partition=lambda _: self.leader)

    async def send(self, _node: int, request: Any) -> Any:
        (topic, partitions), *_ = request.topics
        numbers = sorted(number for number, *_ in partitions)
        self.asked.append(numbers)
        await asyncio.sleep(0)
        answers: list[Any] = [(number, self.errors.get(number, 0), 0, 0, 0, [], b"") for number in numbers]
        return SimpleNamespace(API_VERSION=5, topics=[(topic, answers)])

    def has_asked(self, times: int) -> bool:
        return len(self.asked) == times

    def has_updated(self, times: int) -> bool:
        return self.updates == times

    def force_metadata_update(self) -> asyncio.Future[bool]:
        self.updates += 1
        done = self._loop.create_future()
        done.set_result(True)
        return done


@asynccontextmanager
async def fetching(broker: Broker, clock: Clock) -> AsyncIterator[Fetcher]:
    read_in_our_way()
    subscriptions = SubscriptionState()
    subscriptions.assign_from_user(ORDERS)
    for tp in ORDERS:
        subscriptions.seek(tp, 0)
    made = Fetcher(broker, subscriptions)
    made._pauses = Pauses(ticks=clock)
    try:
        yield made
    finally:
        await made.close()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0)


async def rounds() -> None:
    for _ in range(_ROUNDS):
        await asyncio.sleep(0)


@pytest.mark.parametrize("error", [_NOT_LEADER, _STORAGE, _UNKNOWN])
async def test_a_partition_that_is_refused_is_asked_for_after_a_pause_and_the_others_meanwhile(error: int) -> None:
    broker, clock = Broker(), Clock()
    broker.errors = {1: error}
    async with fetching(broker, clock):
        await until(lambda: len(broker.asked) >= 5)
        await rounds()
        assert broker.asked[0] == [0, 1]
        assert {tuple(one) for one in broker.asked[1:]} == {(0,)}
        broker.errors = {}
        clock.now += PAUSE
        asked = len(broker.asked)
        await until(lambda: [0, 1] in broker.asked[asked:])


async def test_where_all_are_refused_nothing_is_asked_for_a_while() -> None:
    broker, clock = Broker(), Clock()
    broker.errors = {0: _NOT_LEADER, 1: _NOT_LEADER}
    async with fetching(broker, clock):
        for times in range(1, 4):
            await until(partial(broker.has_asked, times))
            await rounds()
            assert broker.asked == [[0, 1]] * times
            clock.now += PAUSE


async def test_leaders_that_nobody_is_are_asked_for_after_a_pause() -> None:
    broker, clock = Broker(), Clock()
    broker.leader = None
    async with fetching(broker, clock):
        for times in range(1, 4):
            await until(partial(broker.has_updated, times))
            await rounds()
            assert broker.updates == times
            clock.now += PAUSE
        assert broker.asked == []
        broker.leader = 1
        await until(lambda: bool(broker.asked))


async def test_records_that_nobody_takes_are_rest_and_their_going_is_not() -> None:
    """They lie here while all that may be in flight waits for a server that is away."""
    broker = Broker()
    async with fetching(broker, Clock()) as made:
        made._wait = FetchWait(20)
        await until(lambda: len(broker.asked) >= 5)
        made._records[ORDERS[0]] = SimpleNamespace(calculate_backoff=lambda: 0)
        await until(lambda: [1] in broker.asked)
        broker.asked.clear()
        await until(lambda: made._fetch_max_wait_ms == 160)
        assert len(broker.asked) >= 50, "a second of rest comes first"
        assert [0, 1] not in broker.asked
        del made._records[ORDERS[0]]
        await until(lambda: [0, 1] in broker.asked)
        assert made._fetch_max_wait_ms == 20


def test_a_fetch_for_some_waits_longer_the_longer_nothing_gets_on_and_no_longer_once_it_does() -> None:
    patience = Patience(0.02, 0.2)
    assert [patience.seconds(has_moved=False) for _ in range(6)] == [0.02, 0.04, 0.08, 0.16, 0.2, 0.2]
    assert patience.seconds(has_moved=True) == 0.02
    assert patience.seconds(has_moved=False) == 0.04


async def test_partitions_beside_full_ones_are_asked_for_less_often_while_no_work_ends() -> None:
    waits: list[float] = []

    async def getmany(_: object, timeout: float) -> Fetched:
        waits.append(timeout)
        return Fetched({})

    consumer: Any = SimpleNamespace(_patience=Patience(0.02, 0.2), _room=asyncio.Event(), _getmany=getmany)
    for _ in range(5):
        await Consumer._fetch_some(consumer, set())
    consumer._room.set()  # as the end of a batch does
    for _ in range(2):
        await Consumer._fetch_some(consumer, set())
    assert waits == [0.02, 0.04, 0.08, 0.16, 0.2, 0.02, 0.04]
