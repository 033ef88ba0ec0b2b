"""What becomes of a message whose destination says that it is too much."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import pytest

from agents.clock import utc_now
from agents.roles.sender.attempts import Attempts, Work
from agents.roles.sender.pacing import Paces
from agents.telemetry.metrics import Metrics
from channels.contract import Policy
from schemas.receipt import Accepted, Throttled
from store.sending.ledger import Settlement
from tests.contract.test_channels import delivery
from tests.factory import NOW


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


def throttle(attempts: Attempts, work: Work, *, neighbours_pass: bool) -> Settlement:
    if neighbours_pass:
        attempts.paces.heard(work.destination, 0.0, Accepted("HTTP 200"))
    return attempts._throttled(work, Throttled("HTTP 429"))


def test_a_message_waits_without_an_attempt_for_as_long_as_its_destination_takes_nothing(attempts: Attempts) -> None:
    work = Work(delivery("webhook"), 0, NOW)
    settlements = [throttle(attempts, work, neighbours_pass=False) for _ in range(500)]
    assert {(one.state, one.reason, one.tried) for one in settlements} == {("waiting", "throttled", False)}


def test_a_message_that_alone_is_too_much_again_and_again_uses_up_its_attempts(attempts: Attempts) -> None:
    work = Work(delivery("webhook"), 0, NOW)
    settlements = [throttle(attempts, work, neighbours_pass=True) for _ in range(9)]
    assert [one.tried for one in settlements] == [False] * 8 + [True]


async def test_a_closed_destination_has_room_for_one_that_tries_and_none_while_its_answer_is_far(
    attempts: Attempts, clock: Clock
) -> None:
    one = ("webhook", "hooks.example.com")
    paces, destination = attempts.paces, cast(Any, one)
    left = await paces.turn(destination)
    assert left == clock.now
    paces.heard(destination, left, Throttled("HTTP 429", 60.0), 60.0)
    assert (paces.soonest(1.0), paces.soonest(90.0)) == (1.0, 60.0)
    assert attempts.rooms() == {one: 0}
    assert not await attempts.room_for(destination)
    assert await paces.turn(destination) is None
    clock.now += 58.0
    assert attempts.rooms() == {one: 1}
    paces.hurry(destination)
    assert await paces.turn(destination) == clock.now


def test_destinations_at_rest_are_forgotten_once_they_are_many(clock: Clock) -> None:
    paces = Paces(ticks=clock)
    for number in range(5000):
        clock.now += 1.0
        paces.heard(cast(Any, ("webhook", str(number))), clock.now, Accepted("HTTP 200"))
    assert len(paces._paces) <= 1100
