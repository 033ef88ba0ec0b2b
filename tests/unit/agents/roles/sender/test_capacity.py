"""The number of deliveries that each destination takes."""

from __future__ import annotations

import asyncio
import time

import pytest

from agents.roles.sender import capacity as module
from agents.roles.sender.capacity import Capacity
from agents.roles.sender.pacing import Paces
from agents.roles.sender.share import Share
from schemas.destination import Destination
from schemas.receipt import Throttled

ONE = Destination("shop", "webhook", "hooks.example.com")
OTHER = Destination("shop", "webhook", "other.example.com")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def filled(made: Capacity, destination: Destination, count: int) -> None:
    for _ in range(count):
        made.take(destination)


async def test_a_closed_destination_takes_one_that_tries_and_none_while_its_answer_is_far() -> None:
    clock = Clock()
    paces = Paces(ticks=clock)
    made = Capacity(paces, share=Share(50))
    left = await paces.turn(ONE)
    assert left == clock.now
    paces.heard(ONE, left, Throttled("HTTP 429", 60.0), 60.0)
    assert (paces.soonest(1.0), paces.soonest(90.0)) == (1.0, 60.0)
    assert made.free() == {ONE: 0}
    assert not await made.wait_for(ONE)
    assert await paces.turn(ONE) is None
    clock.now += 58.0
    assert made.free() == {ONE: 1}
    paces.hurry(ONE)
    assert await paces.turn(ONE) == clock.now


def test_what_is_held_counts_and_what_is_paused_takes_none() -> None:
    made = Capacity(Paces(), share=Share(2))
    filled(made, ONE, made.most - 1)
    made.paused.add(OTHER)
    assert (made.free(), made.saturated()) == ({ONE: 1, OTHER: 0}, {OTHER})
    assert made.free_for_bulk() == {ONE: 0, OTHER: 0}, "a quarter is for what comes live"
    made.take(ONE)
    assert (made.has(ONE), made.has(OTHER), made.is_busy()) == (False, False, True)
    assert [made.release(ONE) for _ in range(made.most)] == [False] * (made.most - 1) + [True]
    assert made.has(ONE)


async def test_a_busy_destination_is_waited_for_and_takes_one_as_soon_as_another_is_over() -> None:
    made = Capacity(Paces(), share=Share(1))
    filled(made, ONE, made.most)
    waiting = asyncio.create_task(made.wait_for(ONE))
    await asyncio.sleep(0)
    made.release(ONE)
    assert await asyncio.wait_for(waiting, 60)


async def test_a_slow_destination_is_given_up_at_once_for_its_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CAPACITY_WAIT", 3600.0)
    made = Capacity(Paces(), share=Share(1))
    filled(made, ONE, made.most)
    assert not await asyncio.wait_for(made.wait_for(ONE), 60)
    monkeypatch.setattr(module, "_TAKES_WITHIN", 3600.0)
    monkeypatch.setattr(module, "_PASSED_FOR", 0.0)
    assert not await asyncio.wait_for(made.wait_for(ONE), 60), "it is passed over for a while"


async def test_a_destination_that_stays_slow_is_passed_over_for_longer_each_time() -> None:
    made = Capacity(Paces(), share=Share(1))
    filled(made, ONE, made.most)
    spans = []
    for _ in range(7):
        made._held[ONE].passed_until = 0.0
        began = time.monotonic()
        assert not await asyncio.wait_for(made.wait_for(ONE), 60)
        spans.append(made._held[ONE].passed_for)
        assert made._held[ONE].passed_until >= began + spans[-1]
    assert spans == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    for _ in range(made.most):
        made.release(ONE)
    assert not made._held


async def test_a_saturated_destination_is_not_waited_for_again_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CAPACITY_WAIT", 0.01)
    made = Capacity(Paces(), share=Share(1))
    filled(made, ONE, made.most)
    assert not await made.wait_for(ONE)
    monkeypatch.setattr(module, "_CAPACITY_WAIT", 3600.0)
    assert not await asyncio.wait_for(made.wait_for(ONE), 60)
