"""Chunks of a segmenter: the next one comes in while the one before is told, and none has ended before it is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from agents.wiring import Wiring
from schemas.formats.search_keys import search_keys
from store.known_customers import KnownCustomers
from store.segments import Profile, Segments
from tests.integration.test_segments import GOLD, Stage

PATIENCE = 60.0


@pytest.fixture
async def stage(wiring: Wiring, pool: asyncpg.Pool) -> AsyncIterator[Stage]:
    yield Stage(wiring, pool)


async def until(holds: Callable[[], Awaitable[bool]], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not await holds():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.01)


async def test_the_next_chunk_comes_in_while_the_one_before_is_told(stage: Stage) -> None:
    one, let = stage.segmenter(), asyncio.Event()
    await stage.apply("gold", when=GOLD)
    await stage.compute(one)
    stage.now += timedelta(minutes=1)
    publish = one.memberships._publish

    async def held_up(events: Any) -> None:
        await let.wait()
        await publish(events)

    one.memberships._publish = held_up  # type: ignore[method-assign]
    taking = list[asyncio.Future[None]]()
    for customer in ("c1", "c2", "c3"):
        taking.append(asyncio.ensure_future(stage.take(one, stage.record(customer, tier="gold"))))

        async def is_in(customer: str = customer) -> bool:
            return customer in await stage.members("gold")

        await until(is_in, f"{customer} is in")
    assert not any(one.done() for one in taking), "nothing is told yet"
    let.set()
    await asyncio.wait_for(asyncio.gather(*taking), PATIENCE)
    assert stage.told() == [("entered", "gold", "c1"), ("entered", "gold", "c2"), ("entered", "gold", "c3")]


async def test_what_fails_while_it_is_told_ends_every_batch_that_waits_for_it_and_is_told_by_the_next(
    stage: Stage,
) -> None:
    one, other = stage.segmenter(), stage.segmenter()
    await stage.apply("gold", when=GOLD)
    await stage.compute(one)
    stage.now += timedelta(minutes=1)

    async def broken(_: Any) -> None:
        raise ZeroDivisionError

    one.memberships._publish = broken  # type: ignore[assignment, method-assign]
    records = [stage.record(customer, tier="gold") for customer in ("c1", "c2")]
    ends = await asyncio.gather(*(stage.take(one, record) for record in records), return_exceptions=True)
    assert [type(end) for end in ends] == [ZeroDivisionError, ZeroDivisionError]
    await stage.take(other, *records)
    assert stage.told() == [("entered", "gold", "c1"), ("entered", "gold", "c2")]


async def test_a_profile_that_came_over_its_topic_is_found_by_the_same_keys(stage: Stage, pool: asyncpg.Pool) -> None:
    """Those who read it hand the keys over; whoever puts a profile without has them worked out."""
    person = {"id": "c1", "name": "Zoë Łęcka", "email": "Zoe@Example.com", "phone": "+48 600 100 200"}
    await stage.take(stage.segmenter(), stage._add("c1", stage.wiring.codec("customers").encode(person)))
    for sought in ("zoe", "lecka", "zoe@ex", "100200"):
        assert [one for one, _ in await KnownCustomers(pool).found("shop", sought, 5)] == ["c1"], sought
    async with Segments(pool).transaction() as work:
        await work.put_customers("shop", [Profile("c2", 1, 7, b'{"id":"c2","name":"Zoe"}', keys=search_keys({}))])
    assert [one for one, _ in await KnownCustomers(pool).found("shop", "zoe", 5)] == ["c1"], "given keys count"
