"""What a sender does with what it has claimed."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import msgspec

from agents.roles.sender.accepted import Accepted
from agents.roles.sender.capacity import Capacity
from agents.roles.sender.leases import Leases
from agents.roles.sender.ledger_rows import row_of
from agents.roles.sender.next_due import NextDue
from agents.roles.sender.outcomes import Outcomes
from agents.roles.sender.pacing import Paces
from agents.roles.sender.sender import Sender
from agents.roles.sender.work import Work
from store.sending.ledger import Leased, Settlement
from tests.factory import NOW, delivery


class Attempts:
    """Keeps what is started."""

    held: tuple[str, ...] = ()

    def __init__(self, log: list[Any]) -> None:
        self._log, self.capacity = log, Capacity(Paces(), concurrency=2)

    def start(self, work: Work) -> None:
        self._log.append(("start", work.delivery.delivery_id))


class World:
    """The ledger and what erases, as far as they are asked here."""

    def __init__(self, log: list[Any], good: Any) -> None:
        self._log, self._good = log, good

    async def wait(self) -> None:
        """It has begun."""

    async def claim_new(self, *_: Any, **__: Any) -> dict[str, None]:
        return {self._good.delivery_id: None}

    async def claim_due(self, **_: Any) -> list[Leased]:
        record = row_of(Work(self._good, 0, NOW), timedelta()).record
        good = Leased(self._good.delivery_id, "webhook", "h", 0, record, NOW, None, is_erased=False)
        return [Leased("dlv_0", "webhook", "h", 0, b"{}", NOW, None, is_erased=False), good]

    async def settle(self, settlements: list[Any], **_: Any) -> None:
        self._log += [(one.state, one.delivery_id) for one in settlements]

    async def release_leases(self, _: str) -> None:
        self._log.append("free")

    async def sweep(self, _: Any) -> None:
        self._log.append("sweep")


def sender(log: list[Any]) -> Any:
    good = delivery("webhook")
    made, world = cast(Any, Sender.__new__(Sender)), World(log, good)
    made._ledger = made._has_begun = made.erasures = world
    made._owner, made._attempts, made._next_due = "o", Attempts(log), NextDue()
    made._settings = SimpleNamespace(lease=timedelta(minutes=1), poll=timedelta(seconds=1))
    made._leases = SimpleNamespace(taken=lambda *_: None, may_take_over=lambda: True)
    made._outcomes = SimpleNamespace(unsettled={})
    made._look_at_pauses = made._look_at_hurries = world.wait
    made.good = good
    return made


async def test_what_was_claimed_is_held_before_the_ledger_is_asked_for_more() -> None:
    """Else, with the ledger away for longer than a lease, it would be claimed once more, and sent twice."""
    log: list[Any] = []
    one = sender(log)
    known = msgspec.structs.replace(one.good, delivery_id="dlv_0")
    assert await one._enter(SimpleNamespace(items=[Work(one.good, 0, NOW), Work(known, 0, NOW)])) == 1
    assert log == [("start", one.good.delivery_id), "sweep"]


async def test_a_record_that_cannot_be_read_waits_and_keeps_no_other_from_being_sent() -> None:
    log: list[Any] = []
    one = sender(log)
    assert await one._claim() == 2
    assert log == [("start", one.good.delivery_id), ("waiting", "dlv_0")]


async def test_leases_that_have_ended_are_forgotten_also_where_nothing_is_held() -> None:
    one = sender([])
    one._leases = Leases(timedelta(minutes=1))
    one._leases.taken(["a", "b"], time.monotonic() - 100)
    await one._renew()
    assert not one._leases._until


async def test_a_sender_that_stops_claims_no_more_and_tells_what_it_has_sent_before_it_gives_back_leases() -> None:
    log: list[Any] = []
    one = sender(log)
    one._leases, one._channels = Leases(timedelta(minutes=1)), {}
    one._outcomes = Outcomes(
        one._ledger,
        one.good,
        "t",
        one.good,
        one.good,
        one._next_due,
        Accepted(None),
        owner="o",
        default_project="shop",
        on_refused=one.good,
    )
    one._outcomes.put(Settlement(one.good.delivery_id, "sent", "HTTP 200"), one.good)
    await one.drain(0.0)
    await asyncio.wait_for(one._claim_loop(), 60)
    await one.close()
    assert log == [("sent", one.good.delivery_id), "free"]


async def test_a_chunk_for_many_busy_destinations_waits_for_capacity_once() -> None:
    """Else a batch would take minutes, which looks like no progress at all."""
    log: list[Any] = []
    one = sender(log)
    barrier = asyncio.Barrier(3)
    one._attempts.capacity.wait_for = lambda _: barrier.wait()
    works = [
        Work(msgspec.structs.replace(one.good, delivery_id=f"d{number}", account=f"host-{number}"), 0, NOW)
        for number in range(3)
    ]
    assert await asyncio.wait_for(one._enter(SimpleNamespace(items=[*works, Work(one.good, 0, NOW)][1:])), 60) == 1
