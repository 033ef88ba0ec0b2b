"""The exchange of one process with what is shared."""

from __future__ import annotations

from typing import Any, cast

import pytest

from agents.clock import SteadyTime
from agents.roles.sender.exchanging import Exchanging
from agents.roles.sender.slices import Slice, Slices
from agents.roles.sender.slots import Slots
from agents.roles.sender.turns import Turns
from agents.telemetry.metrics import Metrics
from schemas.destination import Destination
from schemas.errors import TryLater
from schemas.limit import Limit, Rate
from store.sending.exchanges import JudgedLimits, Known, KnownBreakers, Place
from streams.sending.grants import LASTS

ONE, OTHER = Destination("shop", "email", "main"), Destination("shop", "webhook", "hooks.example.com")
DATABASE = 500.0
"""By so much the database's clock is behind ours."""


class Ticks:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Database:
    """Rows whose clock is read in the middle of a call that takes `takes` seconds."""

    def __init__(self, ticks: Ticks) -> None:
        self._ticks, self.states, self.shut = ticks, dict[Destination, str](), dict[Destination, float]()
        self.takes, self.is_away, self.place = 0.2, False, Place(1, 0)
        self.asked: list[set[Destination]] = []

    async def exchange(self, owner: str, limits: JudgedLimits, breakers: Any) -> Known:
        self.asked.append(set(limits.destinations))
        self._ticks.now += self.takes / 2
        if self.is_away:
            raise TryLater("Postgres is away")
        now = self._ticks.now - DATABASE
        self._ticks.now += self.takes / 2
        for one in limits.destinations:
            self.states[one] = limits.judge(one, self.states.get(one, "{}"), now).state
        return Known(self.place, self.shut, KnownBreakers(now))

    async def forget(self) -> None:
        """Nothing is old here."""


def made() -> tuple[Exchanging, Database, Turns, Ticks, Metrics]:
    ticks, metrics = Ticks(), Metrics()
    turns = Turns({}, {}, concurrency=50)
    turns.paces.slices = Slices(lambda _: Limit(Rate(10, 1.0), 4), ticks=ticks)
    turns.slots = Slots(lambda _: 4)
    database = Database(ticks)
    exchanging = Exchanging(
        cast(Any, database), turns, metrics, owner="a", database=SteadyTime(ticks=ticks), ticks=ticks
    )
    return exchanging, database, turns, ticks, metrics


async def test_only_what_is_sent_to_is_asked_for_and_turns_are_of_our_own_clock() -> None:
    exchanging, database, turns, ticks, metrics = made()
    slices, capacity = turns.paces.slices, turns.capacity
    one = cast(Slice, slices.of(ONE))
    slices.of(OTHER)
    capacity.take(ONE)
    for _ in range(3):
        asked_at = ticks.now
        await exchanging.exchange()
        ticks.now += 1.0
    assert database.asked == [{ONE}] * 3
    assert asked_at - one.late <= min(one.turns)
    assert max(one.turns) < asked_at + LASTS + database.takes
    assert (one.at_once, one.asked_at) == (4, asked_at)
    assert b'tidings_granted_per_second{channel="email"}' in metrics.text()[0]


async def test_the_clock_is_known_the_better_the_quicker_an_answer_was() -> None:
    exchanging, database, turns, _, _ = made()
    slices, capacity = turns.paces.slices, turns.capacity
    slices.of(ONE)
    capacity.take(ONE)
    database.takes = 2.0
    await exchanging.exchange()
    assert exchanging._database._ahead == pytest.approx(DATABASE + 1.0)
    database.takes = 0.01
    await exchanging.exchange()
    assert exchanging._database._ahead == pytest.approx(DATABASE + 0.005)
    database.takes = 2.0
    await exchanging.exchange()
    assert exchanging._database._ahead == pytest.approx(DATABASE + 0.005)


async def test_what_another_process_heard_is_known_here_and_an_outage_changes_nothing() -> None:
    exchanging, database, turns, ticks, _ = made()
    slices, capacity = turns.paces.slices, turns.capacity
    database.shut = {OTHER: 30.0}
    await exchanging.exchange()
    assert cast(Slice, slices.of(OTHER)).closed_until == pytest.approx(ticks.now + 30.0)
    database.is_away = True
    capacity.take(ONE)
    slices.of(ONE)
    with pytest.raises(TryLater):
        await exchanging.exchange()
    assert not cast(Slice, slices.of(ONE)).is_known
