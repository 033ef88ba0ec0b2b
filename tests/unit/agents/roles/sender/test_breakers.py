"""Breakers of a process: what it tells, which messages may leave, and what became of its probe."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from agents.roles.sender.breakers import Breakers
from agents.roles.sender.capacity import Capacity
from agents.roles.sender.pacing import Paces
from agents.roles.sender.share import Share
from channels.contract import Policy
from schemas.destination import Destination
from schemas.errors import TryLater
from schemas.receipt import Accepted, Deferred, Postponed, Receipt, Throttled
from store.sending.exchanges import KeptBreaker, KnownBreakers
from streams.sending.breaker import FIRST_WAIT, HEARD_FROM_ALL, LEAST

HOST = Destination("shop", "webhook", "receiver.example")
TIMEOUT = 10.0
POLICY = Policy(timedelta(seconds=TIMEOUT), ())


class Shared:
    """The state that all processes share, in memory, by the test's clock."""

    def __init__(self) -> None:
        self.now, self.is_away = 1000.0, False
        self.kept: dict[Destination, KeptBreaker] = {}

    def ticks(self) -> float:
        return self.now

    def exchange(self, one: Breakers, may_leave: Callable[[Destination], bool] = lambda _: True) -> bool:
        reports = one.reports(may_leave)
        if self.is_away:
            raise TryLater("Postgres: away")
        for destination, report in reports.items():
            before = self.kept.pop(destination, KeptBreaker("{}", "") if report.failed else None)
            if before is not None and (judged := one.judged(report, before, self.now)) is not None:
                self.kept[destination] = judged
        one._database.read(self.now, self.now)
        return one.take_in(reports, KnownBreakers(self.now, dict(self.kept)), self.now)


def process(shared: Shared, owner: str = "a") -> Breakers:
    return Breakers(owner=owner, policies={"webhook": POLICY}, ticks=shared.ticks)


async def open_by(shared: Shared, *processes: Breakers) -> None:
    for wait in (HEARD_FROM_ALL, 0.0):
        for number in range(LEAST):
            processes[0].heard(HOST, f"d{number}", Deferred("503"))
        for one in processes:
            shared.exchange(one)
        shared.now += wait
    for one in processes:
        shared.exchange(one)


async def probing(shared: Shared, *processes: Breakers) -> None:
    await open_by(shared, *processes)
    shared.now += FIRST_WAIT
    for one in processes:
        shared.exchange(one)


async def test_what_one_hears_stops_all() -> None:
    shared = Shared()
    a, b = process(shared, "a"), process(shared, "b")

    await open_by(shared, a, b)

    assert a.open == b.open == {HOST: "503"}
    assert not b.leave(HOST, "d1") and b.capacity(HOST, 9) == 0
    assert b.leave(HOST._replace(name="other.example"), "d1")


async def test_those_that_hear_nothing_bad_tell_of_what_others_do() -> None:
    shared = Shared()
    a, b = process(shared, "a"), process(shared, "b")
    for _ in range(4):
        for number in range(LEAST):
            a.heard(HOST, f"d{number}", Deferred("503"))
            for more in "efgh":
                b.heard(HOST, f"{more}{number}", Accepted("ok"))
        shared.exchange(a)
        shared.exchange(b)
        shared.now += 1.0

    assert not a.open and not b.open


async def test_one_that_fails_often_waits_here_until_all_have_told_what_they_hear() -> None:
    shared = Shared()
    a = process(shared)
    for number in range(LEAST):
        assert a.leave(HOST, f"d{number}")
        a.heard(HOST, f"d{number}", Deferred("503"))
    assert (a.leave(HOST, "d"), a.capacity(HOST, 9), a.stopped, dict(a.open)) == (False, 0, {HOST}, {})
    shared.exchange(a)
    assert not a.leave(HOST, "d")
    a.heard(HOST, "of before", Accepted("ok"))
    assert a.leave(HOST, "d") and not a.stopped
    for number in range(LEAST):
        a.heard(HOST, f"d{number}", Deferred("503"))
    assert a.leave(HOST, "d")  # not all of them failed
    shared.exchange(a)
    for number in range(LEAST):
        a.heard(HOST, f"d{number}", Deferred("503"))
    shared.now += HEARD_FROM_ALL + 1.0
    assert a.leave(HOST, "d")  # it ends by time as well
    shared.exchange(a)
    assert not a.leave(HOST, "d") and HOST in a.open


async def test_nothing_is_told_of_what_is_well() -> None:
    shared = Shared()
    a = process(shared)
    a.heard(HOST, "d1", Accepted("ok"))
    a.heard(HOST, "d2", Postponed("451 greylisted"))
    shared.exchange(a)

    assert not shared.kept


async def test_one_process_has_the_probe_and_one_message_is_it() -> None:
    shared = Shared()
    a, b = process(shared, "a"), process(shared, "b")
    await probing(shared, a, b)

    assert (a.capacity(HOST, 9), b.capacity(HOST, 9)) == (1, 0)
    assert a.leave(HOST, "d1")
    assert not a.leave(HOST, "d2") and not b.leave(HOST, "d3")
    a.heard(HOST, "d1", None)  # it was suppressed meanwhile, say
    assert a.leave(HOST, "d2")


@pytest.mark.parametrize(
    ("receipt", "is_open"),
    [(Accepted("ok"), False), (Throttled("429"), False), (Postponed("451"), False), (Deferred("503"), True)],
)
async def test_the_answer_of_the_probe_counts_for_all(receipt: Receipt, is_open: bool) -> None:
    shared = Shared()
    a, b = process(shared, "a"), process(shared, "b")
    await probing(shared, a, b)
    a.leave(HOST, "d1")
    a.heard(HOST, "d0", Accepted("from before it opened"))
    a.heard(HOST, "d1", receipt)
    shared.exchange(a)
    shared.exchange(b)

    assert (HOST in a.open, HOST in b.open) == (is_open, is_open)
    assert not a.leave(HOST, "d2") if is_open else b.leave(HOST, "d2")


async def test_the_answer_of_a_probe_outlives_a_time_without_postgres() -> None:
    shared = Shared()
    a = process(shared)
    await probing(shared, a)
    a.leave(HOST, "d1")
    a.heard(HOST, "d1", Accepted("ok"))
    shared.is_away = True
    with pytest.raises(TryLater):
        shared.exchange(a)
    shared.is_away = False
    shared.exchange(a)

    assert not a.open


async def test_a_probe_leaves_soon_or_not_at_all_so_that_it_is_over_before_another_leaves() -> None:
    shared = Shared()
    a, b = process(shared, "a"), process(shared, "b")
    await probing(shared, a, b)
    shared.now += 5.0
    assert not a.leave(HOST, "d1")  # it could not ask whether the probe is still its own
    shared.now += TIMEOUT
    shared.exchange(b)
    assert not b.leave(HOST, "d2")
    shared.now += 11.0
    shared.exchange(b)
    assert b.leave(HOST, "d2")


async def test_no_probe_is_asked_for_where_no_message_would_have_its_turn() -> None:
    shared = Shared()
    a, b = process(shared, "a"), process(shared, "b")
    await open_by(shared, a, b)
    shared.now += FIRST_WAIT
    shared.exchange(a, lambda _: False)
    shared.exchange(b)

    assert not a.leave(HOST, "d1") and b.leave(HOST, "d2")


async def test_a_hurry_asks_at_once() -> None:
    shared = Shared()
    a = process(shared)
    await open_by(shared, a)
    a.hurry(HOST)
    shared.exchange(a)
    shared.exchange(a)

    assert a.leave(HOST, "d1")


async def test_a_destination_is_gone_after_as_long_as_a_delivery_is_tried() -> None:
    shared = Shared()
    a = process(shared)
    await open_by(shared, a)
    shared.now += 100.0

    assert a.is_gone(HOST, 100.0) and not a.is_gone(HOST, 101.0)


async def test_an_open_one_takes_no_capacity_but_for_its_probe() -> None:
    shared = Shared()
    a = process(shared)
    capacity = Capacity(Paces(ticks=shared.ticks), share=Share(2), breakers=a)
    await open_by(shared, a)
    assert capacity.free() == {HOST: 0} and capacity.saturated() == {HOST}
    assert not await asyncio.wait_for(capacity.wait_for(HOST), 10)
    shared.now += FIRST_WAIT
    shared.exchange(a)
    assert capacity.free() == {HOST: 1}
