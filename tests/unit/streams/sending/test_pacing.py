"""The pace of a destination, held against providers that limit in the ways that there are."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Protocol

import pytest

from schemas.receipt import Accepted, Deferred
from streams.sending.pacing import Pace

_TRIP = 0.05


class Provider(Protocol):
    def takes(self, at: float) -> bool: ...


class FixedWindow:
    """So many from one full minute to the next."""

    def __init__(self, limit: int, window: float) -> None:
        self.limit, self.window = limit, window
        self.current, self.count = -1, 0

    def takes(self, at: float) -> bool:
        if int(at // self.window) != self.current:
            self.current, self.count = int(at // self.window), 0
        self.count += 1
        return self.count <= self.limit


class SlidingWindow:
    """So many within any minute."""

    def __init__(self, limit: int, window: float) -> None:
        self.limit, self.window = limit, window
        self.taken: list[float] = []

    def takes(self, at: float) -> bool:
        self.taken = [one for one in self.taken if one > at - self.window]
        if len(self.taken) >= self.limit:
            return False
        self.taken.append(at)
        return True


class Bucket:
    """So many at once, and then as many as flow in."""

    def __init__(self, limit: int, window: float) -> None:
        self.limit, self.rate = limit, limit / window
        self.at, self.level = 0.0, float(limit)

    def takes(self, at: float) -> bool:
        self.level = min(self.limit, self.level + (at - self.at) * self.rate)
        self.at = at
        if self.level < 1:
            return False
        self.level -= 1
        return True


def send(provider: Provider, messages: int, *, at_once: int, pace: Pace | None = None) -> tuple[float, int, Pace]:
    """Seconds until all were taken, how often it was too much, and the pace that was learned."""
    pace, now, refused, taken = pace or Pace(since=0.0), 0.0, 0, 0
    under_way: list[tuple[float, float, bool]] = []
    while taken < messages:
        wait = pace.wait_at(now)
        may_leave = wait is not None and len(under_way) < at_once and taken + len(under_way) < messages
        if may_leave and wait == 0.0:
            heapq.heappush(under_way, (now + _TRIP, now, provider.takes(now)))
            pace = pace.left(now)
            continue
        now = min([one[0] for one in under_way[:1]] + ([now + wait] if may_leave and wait else []))
        while under_way and under_way[0][0] <= now:
            _, left_at, is_taken = heapq.heappop(under_way)
            pace = pace.took(left_at, now) if is_taken else pace.throttled(left_at, now)
            taken, refused = taken + is_taken, refused + (not is_taken)
    return now, refused, pace


@pytest.mark.parametrize("at_once", [1, 4, 50])
@pytest.mark.parametrize("make", [FixedWindow, SlidingWindow, Bucket])
def test_330_messages_at_30_a_minute_take_about_11_minutes(
    make: Callable[[int, float], Provider], at_once: int
) -> None:
    seconds, refused, _ = send(make(30, 60.0), 330, at_once=at_once)
    assert seconds <= 12 * 60
    assert refused <= 330


@pytest.mark.parametrize("make", [FixedWindow, SlidingWindow, Bucket])
@pytest.mark.parametrize(
    ("limit", "window", "messages", "most"),
    [(30, 6.0, 33, 10), (100, 1.0, 2000, 40), (5, 3600.0, 12, 2.1 * 3600 + 120), (1, 10.0, 20, 230)],
)
def test_a_destination_is_never_idle_for_long_while_it_could_take_something(
    make: Callable[[int, float], Provider], limit: int, window: float, messages: int, most: float
) -> None:
    assert send(make(limit, window), messages, at_once=20)[0] <= most


def test_a_destination_without_a_limit_is_never_held_back() -> None:
    seconds, refused, pace = send(FixedWindow(10**9, 60.0), 10_000, at_once=50)
    assert (refused, pace.gap) == (0, 0.0)
    assert seconds == pytest.approx(10_000 / 50 * _TRIP)


def test_a_limit_that_is_lifted_is_forgotten() -> None:
    _, _, pace = send(FixedWindow(30, 60.0), 100, at_once=4)
    assert pace.gap > 0
    seconds, _, after = send(FixedWindow(10**9, 60.0), 1000, at_once=4, pace=Pace(0.0, gap=pace.gap))
    assert after.gap == 0.0
    assert seconds < 200


def test_only_one_message_tries_a_closed_destination_and_its_answer_decides() -> None:
    closed = Pace(since=0.0).left(1.0).throttled(1.0, 1.1)
    assert closed.wait_at(1.1) == 1.0
    assert closed.took(0.9, 1.2).closed_at == closed.throttled(0.9, 1.2).closed_at == 1.1  # they had left before
    tried = closed.left(2.1)
    assert tried.wait_at(2.2) is None
    assert tried.throttled(2.1, 2.2).wait_at(2.2) == 1.25
    assert tried.unknown(2.1, 2.2).wait_at(2.2) == 1.0
    assert tried.given_back(2.1, 2.2).wait_at(2.2) == 0.0
    assert tried.took(2.1, 2.2).closed_at is None


def test_what_the_destination_asks_for_is_waited_for_and_can_be_hurried() -> None:
    closed = Pace(since=0.0).left(1.0).throttled(1.0, 1.0, 300.0)
    assert closed.wait_at(1.0) == 300.0
    assert closed.throttled(0.5, 2.0, 600.0).wait_at(2.0) == 600.0
    assert closed.hurried().wait_at(2.0) == 0.0


def test_what_others_pace_is_counted_and_teaches_nothing() -> None:
    pace = Pace.new(0.0).left(1.0).throttled(1.0, 1.0).counted(Accepted("HTTP 200"), 2.0).counted(Deferred("503"), 2.0)
    assert (pace.total, pace.closed_at, pace.gap) == (1, None, 0.0)
