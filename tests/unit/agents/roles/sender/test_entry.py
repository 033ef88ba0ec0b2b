"""Deliveries on their way into the ledger."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import msgspec

from agents.roles.sender.claimant import Claimant
from agents.roles.sender.entry import Entry
from agents.roles.sender.ledger_rows import version_of
from agents.roles.sender.work import Work
from schemas.distribution import Again
from store.sending.ledger import NewDelivery
from tests.factory import NOW
from tests.unit.agents.roles.sender.doubles import SECOND, Started, World


def entry(world: World, attempts: Started) -> Any:
    made = Entry(world.claimant, cast(Any, attempts), attempts.turns.capacity, cast(Any, world), {}, poll=SECOND)
    made.open()
    return made


async def test_what_was_claimed_is_held_before_the_ledger_is_asked_for_more() -> None:
    """Else, with the ledger away for longer than a lease, it would be claimed once more, and sent twice."""
    log: list[Any] = []
    world = World(log)
    known = msgspec.structs.replace(world.good, delivery_id="dlv_0")
    chunk = SimpleNamespace(items=[Work(world.good, 0, NOW), Work(known, 0, NOW)])
    assert await entry(world, Started(log)).enter(chunk) == 1
    assert log == [("start", world.good.delivery_id), "sweep"]


async def test_a_chunk_for_many_busy_destinations_waits_for_capacity_once() -> None:
    """Else a batch would take minutes, which looks like no progress at all."""
    log: list[Any] = []
    world, attempts, barrier = World(log), Started(log), asyncio.Barrier(3)

    async def wait_for(destination: Any) -> bool:
        return bool(await barrier.wait() >= 0)

    attempts.turns.capacity.wait_for = wait_for
    works = [
        Work(msgspec.structs.replace(world.good, delivery_id=f"d{number}", account=f"host-{number}"), 0, NOW)
        for number in range(2)
    ]
    chunk = SimpleNamespace(items=[*works, Work(world.good, 0, NOW)])
    assert await asyncio.wait_for(entry(world, attempts).enter(chunk), 60) == 1


async def test_nothing_is_claimed_before_an_earlier_process_has_given_back_what_it_held() -> None:
    log: list[Any] = []
    world, attempts = World(log), Started(log)
    made = Entry(world.claimant, cast(Any, attempts), attempts.turns.capacity, cast(Any, world), {}, poll=SECOND)
    entering = asyncio.create_task(made.enter(cast(Any, SimpleNamespace(items=[Work(world.good, 0, NOW)]))))
    await asyncio.sleep(0)
    assert log == []
    made.open()
    assert await asyncio.wait_for(entering, 60) == 1


async def test_an_id_is_kept_as_long_as_its_distribution_says() -> None:
    rows: list[NewDelivery] = []
    world = World([])
    other = msgspec.structs.replace(
        world.good, delivery_id="dlv_1", distribution=msgspec.structs.replace(world.good.distribution, version=99)
    )

    async def again_of(versions: set[Any]) -> dict[Any, Again]:
        return dict.fromkeys(versions & {version_of(world.good)}, Again(mode="every_event"))

    async def claim_new(entered: list[NewDelivery], **_: Any) -> dict[str, None]:
        rows.extend(entered)
        return {}

    world.again_of, world.claim_new = again_of, claim_new  # type: ignore[method-assign, assignment]
    world.claimant = Claimant(cast(Any, world), owner="o", lease=SECOND)
    works = [Work(one, 0, NOW) for one in (world.good, other)]
    await entry(world, Started([])).enter(SimpleNamespace(items=works))
    assert [row.repeats_until for row in rows] == [world.good.event.created_at, None]
