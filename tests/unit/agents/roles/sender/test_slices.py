"""The part of a limit that one process has."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from agents.roles.sender import slices as module
from agents.roles.sender.pacing import Paces
from agents.roles.sender.slices import ON_ITS_OWN, SAFE_PART, Slice, Slices
from schemas.destination import Destination
from schemas.limit import NO_LIMIT, Limit, Rate
from schemas.receipt import Accepted, Throttled
from streams.sending.exchange import Answer, Report
from streams.sending.grants import LASTS, Grant

ONE, TWO = Destination("shop", "email", "main"), Destination("outlet", "email", "main")
SHARED = Destination("", "email", "main")
LIMIT = Limit(Rate(10, 1.0), 4)
NOTHING = Report("a", 0)


class Ticks:
    """A steady clock that moves while somebody sleeps."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += max(0.0, seconds)


@pytest.fixture
def ticks(monkeypatch: pytest.MonkeyPatch) -> Ticks:
    made = Ticks()
    monkeypatch.setattr(module, "_change", lambda _, seconds: made.sleep(min(seconds, 0.01)))
    monkeypatch.setattr(f"{module.__name__}.asyncio.sleep", made.sleep)
    return made


def granted(one: Slice, ticks: Ticks, *turns: float, report: Report = NOTHING, closed_until: float = 0.0) -> None:
    """An answer with turns so many seconds from now, by a database whose clock is 500 behind."""
    at = tuple(ticks.now - 500.0 + turn for turn in turns)
    grant = Grant(at, len(turns), one.limit.concurrency, one.limit.rate.per_second if one.limit.rate else None, 1)
    one.take_in(report, Answer(grant, closed_until), ticks.now, lambda moment: moment + 500.0)


def limited(ticks: Ticks, limit: Limit = LIMIT) -> tuple[Slices, Slice]:
    made = Slices(lambda _: limit, lambda _: SHARED, ticks=ticks)
    return made, cast(Slice, made.of(ONE))


async def test_messages_leave_in_the_turns_that_were_granted_and_each_is_used_once(ticks: Ticks) -> None:
    made, one = limited(ticks)
    granted(one, ticks, 0.1, 0.2, 0.3)
    left = [await made.turn(one) for _ in range(3)]
    assert left == pytest.approx([1000.1, 1000.2, 1000.3])


async def test_a_turn_that_is_over_is_lost_and_one_that_was_not_used_is_given_back(ticks: Ticks) -> None:
    made, one = limited(ticks)
    granted(one, ticks, 0.0, 0.1, 0.2)
    ticks.now += 0.12  # of a second, 0.03 may be late
    left_at = await made.turn(one) or 0.0
    assert left_at == pytest.approx(1000.12)
    made.heard(one, None, left_at, 0.0)
    assert await made.turn(one) == pytest.approx(1000.12)
    assert await made.turn(one) == pytest.approx(1000.2)


async def test_projects_share_an_account_of_the_settings(ticks: Ticks) -> None:
    made, one = limited(ticks)
    assert made.of(TWO) is one
    assert one.users == {ONE, TWO}
    assert made.asking({}) == {}
    assert made.of(ONE) is not one  # it was forgotten


async def test_what_one_hears_closes_it_for_all_who_wait(ticks: Ticks) -> None:
    made, one = limited(ticks)
    granted(one, ticks, 0.1, 0.2)
    made.heard(one, Throttled("HTTP 429", 60.0), ticks.now, 60.0)
    assert await made.turn(one) is None
    assert (one.capacity(200, ticks.now), made.closed) == (0, 1)
    report = one.report("a", 0, 0, ticks.now)
    assert (report.closed_for, report.throttled) == (60.0, 1)
    granted(one, ticks, report=report, closed_until=560.0)
    assert (one.closed_until, one.throttled) == (1060.0, 0)
    made.hurry(one)
    assert made.closed == 0
    assert one.report("a", 0, 0, ticks.now).is_hurried


async def test_what_is_heard_while_it_is_asked_is_not_lost(ticks: Ticks) -> None:
    made, one = limited(ticks)
    made.heard(one, Accepted("HTTP 200"), ticks.now, 0.0)
    report = one.report("a", 0, 0, ticks.now)
    made.heard(one, Accepted("HTTP 200"), ticks.now, 0.0)
    made.heard(one, Throttled("HTTP 429", 30.0), ticks.now, 30.0)
    granted(one, ticks, report=report)
    assert (one.accepted, one.throttled, one.closed_until) == (1, 1, 1030.0)


async def test_without_the_database_it_goes_on_for_a_while_and_then_slowly(ticks: Ticks) -> None:
    made, one = limited(ticks, Limit(Rate(10, 1.0)))
    granted(one, ticks, *(number / 10 for number in range(20)))
    ends, left = ticks.now + LASTS + ON_ITS_OWN, list[float]()
    made.alone(is_alone=True)
    while ticks.now < ends + 20.0:
        left.append(await made.turn(one) or 0.0)
    before, after = [sum(low <= at < low + 5.0 for at in left) for low in (ends - 5.0, ends + 5.0)]
    assert 45 <= before <= 50
    assert after <= 50 * SAFE_PART + 1


async def test_one_that_stood_still_makes_no_turns_of_its_own(ticks: Ticks) -> None:
    """By the clock alone it would seem to be without the database, and others have its share by then."""
    made, one = limited(ticks)
    granted(one, ticks, *(number / 10 for number in range(20)))
    ticks.now += 2 * LASTS
    assert await made.turn(one) is None
    made.alone(is_alone=True)
    assert await made.turn(one) is not None


def test_what_may_be_under_way_is_nothing_until_it_is_known(ticks: Ticks) -> None:
    _, one = limited(ticks)
    assert one.most_at_once(ticks.now) == 0
    granted(one, ticks)
    assert one.most_at_once(ticks.now) == 4
    assert one.most_at_once(ticks.now + 60.0) == 1
    assert Slice(NO_LIMIT).most_at_once(ticks.now) is None


async def test_a_destination_that_says_it_is_too_much_is_shared_from_then_on(ticks: Ticks) -> None:
    paces = Paces(ticks=ticks)
    left_at = await paces.turn(ONE)
    assert left_at is not None
    assert paces.slices.of(ONE) is None
    paces.heard(ONE, left_at, Throttled("HTTP 429", 30.0), 30.0)
    one = cast(Slice, paces.slices.of(ONE))
    assert paces.slices.asking({}) == {ONE: one}
    assert (paces.until_next(ONE), paces.capacity(ONE, 200)) == (30.0, 0)
    other = Paces(ticks=ticks)
    other.slices.close(ONE, 30.0)
    assert await other.turn(ONE) is None
    ticks.now += 31.0
    assert await asyncio.wait_for(other.turn(ONE), 60) == ticks.now


async def test_one_that_took_the_last_of_a_window_is_let_alone_by_all_until_it_ends(ticks: Ticks) -> None:
    paces, taken = Paces(ticks=ticks), Accepted("HTTP 200", retry_after=30.0)
    paces.heard(ONE, await paces.turn(ONE) or 0.0, taken, 30.0)
    one = cast(Slice, paces.slices.of(ONE))
    report = one.report("a", 5, 0, ticks.now)
    assert (report.closed_for, report.throttled, report.measured) == (30.0, 0, 0.0)
    granted(one, ticks, report=report, closed_until=one.closed_until - 500.0)
    assert (paces.until_next(ONE), paces.capacity(ONE, 200), await paces.turn(ONE)) == (30.0, 0, None)
    paces.heard(ONE, ticks.now, Accepted("HTTP 200"))  # it was under way, and says nothing else
    assert paces.until_next(ONE) == 30.0
    ticks.now += 30.1
    assert (await paces.turn(ONE), paces.capacity(ONE, 200)) == (ticks.now, 200)


async def test_one_that_takes_the_last_of_a_window_in_turns_that_are_shared_keeps_its_turns(ticks: Ticks) -> None:
    slices, one = limited(ticks)
    began = ticks.now
    granted(one, ticks, 0.0, 6.0)
    left_at = await slices.turn(one) or 0.0
    slices.heard(one, Accepted("HTTP 200", retry_after=5.0), left_at, 5.0)
    assert (one.is_paced, one.accepted, slices.closed) == (True, 1, 1)
    ticks.now += 5.5
    assert await slices.turn(one) == pytest.approx(began + 6.0)


async def test_what_is_too_much_in_turns_that_are_shared_is_counted_and_closes_nothing(ticks: Ticks) -> None:
    paces = Paces(Slices(lambda _: LIMIT, ticks=ticks), ticks=ticks)
    one = cast(Slice, paces.slices.of(ONE))
    granted(one, ticks, 0.0)
    left_at = await paces.turn(ONE) or 0.0
    paces.heard(ONE, left_at, Throttled("HTTP 429"))
    assert (one.throttled, one.measured, paces.closed) == (1, 0.0, 0)
    paces.heard(ONE, left_at, Accepted("HTTP 200"))
    assert (one.accepted, paces.taken_by(ONE)) == (1, 1)


async def test_a_message_that_waits_after_its_turn_misses_it_where_others_have_turns(ticks: Ticks) -> None:
    paces = Paces(Slices(lambda _: LIMIT, ticks=ticks), ticks=ticks)
    granted(cast(Slice, paces.slices.of(ONE)), ticks, 0.0)
    left_at = await paces.turn(ONE) or 0.0
    assert [paces.is_missed(ONE, left_at - waits) for waits in (0.0, 0.008, 0.012)] == [False, False, True]
    assert not Paces(ticks=ticks).is_missed(ONE, left_at - 60.0)


def test_the_limit_of_a_destination_is_looked_up_once_and_again_when_accounts_have_changed(ticks: Ticks) -> None:
    limits = [NO_LIMIT, LIMIT]
    made = Slices(lambda _: limits.pop(0), ticks=ticks)
    assert (made.of(ONE), made.of(ONE), limits) == (None, None, [LIMIT])
    made.look_up_again()
    assert [one and one.limit for one in (made.of(ONE), made.of(ONE))] == [LIMIT, LIMIT]
