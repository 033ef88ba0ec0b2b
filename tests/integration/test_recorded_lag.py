"""The lag of recorders behind topics on a real Kafka, whole and for one customer."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncpg
import pytest

from agents.broker.extents import Extents
from agents.broker.partitioner import partition_of
from agents.broker.producer import Producer, write_all
from agents.broker.records import Output
from agents.wiring import Wiring
from console.cli.context import database
from console.control.recorded_lag import Behind, recorded_behind
from schemas.topics import DECISIONS
from store.read_models.recorded import Recorded, Source
from tests.integration.test_recorder import KEEP


@pytest.fixture
async def kept(wiring: Wiring) -> AsyncIterator[asyncpg.Pool]:
    async with database(wiring) as pool:
        yield pool


def place(customer: str) -> int:
    return partition_of(customer.encode(), 4)


async def write(wiring: Wiring, customers: list[str]) -> int:
    """A record of each; the time before them, in Unix milliseconds."""
    before = int(time.time() * 1000)
    producer, topic = Producer(wiring.settings.kafka.client()), wiring.topic(DECISIONS)
    await write_all(producer, [Output(topic, one.encode(), b"{}") for one in customers], patience=60)
    producer.close()
    return before


async def put(kept: asyncpg.Pool, wiring: Wiring, customer: str, end: int, stamp: int) -> None:
    """Have a recorder be done with the first records of a customer's partition."""
    source = Source(wiring.topic(DECISIONS), place(customer), end, stamp)
    await Recorded(kept, KEEP).put_decisions(source, [])


async def test_it_is_counted_and_dated_until_all_is_in(wiring: Wiring, kept: asyncpg.Pool) -> None:
    extents = Extents(wiring)
    assert await recorded_behind(kept, extents) == Behind(0)
    first = await write(wiring, ["c1", "c1"])
    found = await recorded_behind(kept, extents)
    assert found.records == 2 and found.since is not None
    assert first <= found.since.timestamp() * 1000 <= time.time() * 1000

    await put(kept, wiring, "c1", 2, int(time.time() * 1000))
    assert await recorded_behind(kept, extents) == Behind(0)
    while time.time() * 1000 < found.since.timestamp() * 1000 + 20:
        pass
    second = await write(wiring, ["c1"])
    found = await recorded_behind(kept, extents)
    assert found.records == 1 and found.since is not None
    assert found.since.timestamp() * 1000 >= second, "the age of what is missing, not of what came before"


async def test_it_is_asked_for_one_customer_alone(wiring: Wiring, kept: asyncpg.Pool) -> None:
    one = "c1"
    elsewhere = (f"c{number}" for number in range(2, 99) if place(f"c{number}") != place(one))
    other = next(elsewhere)
    await write(wiring, [one, other])
    await put(kept, wiring, one, 1, int(time.time() * 1000))
    extents = Extents(wiring)
    assert await recorded_behind(kept, extents, key=one.encode()) == Behind(0)
    assert (await recorded_behind(kept, extents, key=other.encode())).records == 1
    assert (await recorded_behind(kept, extents)).records == 1


async def test_records_that_are_dated_before_those_that_are_in_count_as_well(
    wiring: Wiring, kept: asyncpg.Pool
) -> None:
    await write(wiring, ["c1", "c1"])
    ahead = int(time.time() * 1000) + 60_000
    await put(kept, wiring, "c1", 1, ahead)
    found = await recorded_behind(kept, Extents(wiring))
    assert found == Behind(1, datetime.fromtimestamp(ahead / 1000, UTC))
