"""Deliveries in memory, and how many of them each destination takes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import pytest

from agents.clock import utc_now
from agents.roles.sender.attempts import Attempts
from agents.roles.sender.pacing import Paces
from agents.telemetry.metrics import Metrics
from channels.contract import Policy
from schemas.receipt import Accepted, Throttled


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def attempts(clock: Clock) -> Attempts:
    nothing = cast(Any, None)
    policies = {"webhook": Policy(timedelta(seconds=1), (timedelta(minutes=1),) * 2)}
    return Attempts(
        {}, cast(Any, policies), nothing, lambda _: True, nothing, nothing, Metrics(),
        concurrency=50, clock=utc_now, paces=Paces(ticks=clock),
    )  # fmt: skip


async def test_a_closed_destination_has_capacity_for_one_that_tries_and_none_while_its_answer_is_far(
    attempts: Attempts, clock: Clock
) -> None:
    one = ("webhook", "hooks.example.com")
    paces, destination = attempts.paces, cast(Any, one)
    left = await paces.turn(destination)
    assert left == clock.now
    paces.heard(destination, left, Throttled("HTTP 429", 60.0), 60.0)
    assert (paces.soonest(1.0), paces.soonest(90.0)) == (1.0, 60.0)
    assert attempts.capacity.free() == {one: 0}
    assert not await attempts.capacity.wait_for(destination)
    assert await paces.turn(destination) is None
    clock.now += 58.0
    assert attempts.capacity.free() == {one: 1}
    paces.hurry(destination)
    assert await paces.turn(destination) == clock.now


def test_destinations_at_rest_are_forgotten_once_they_are_many(clock: Clock) -> None:
    paces = Paces(ticks=clock)
    for number in range(5000):
        clock.now += 1.0
        paces.heard(cast(Any, ("webhook", str(number))), clock.now, Accepted("HTTP 200"))
    assert len(paces._paces) <= 1100
