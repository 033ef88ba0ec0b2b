"""Partitions that are taken away from a recorder with a chunk in hand that it read while another one was written."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg

from agents.broker.producer import Producer, write_all
from agents.broker.records import Output
from agents.broker.topics import Provision
from agents.transport.app import BatchApp
from agents.wiring import Wiring
from schemas.topics import DECISIONS
from tests.counted import differing
from tests.integration.test_hostile_rows import PATIENCE, recording, until_in
from tests.integration.test_recorder import decision

_SMALL: dict[str, Any] = {"broker_max_poll_records": 40}


async def until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.01)


async def decided(wiring: Wiring, numbers: range) -> None:
    producer, codec = Producer(wiring.settings.kafka.client()), wiring.codec(DECISIONS)
    outputs = [
        Output(wiring.topic(DECISIONS), f"c{number % 40}".encode(), codec.encode(decision(number)))
        for number in numbers
    ]
    await write_all(producer, outputs)
    producer.close()


def in_hand(app: BatchApp) -> int:
    """Batches that were begun and are not done: one that is being written, and one that was read meanwhile."""
    return sum(batch.begun for queue in app.consumer.progress._in_flight.values() for batch in queue)


@asynccontextmanager
async def held_up(pool: asyncpg.Pool, wiring: Wiring, app: BatchApp, numbers: range) -> AsyncIterator[None]:
    """Have what is read wait for Postgres: a chunk that is being written, and one behind it."""
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            await connection.execute("select from recorded_positions for update")
            await decided(wiring, numbers)
            await until(lambda: in_hand(app) >= 2, "a chunk is read while one is written")
            yield
        finally:
            await transaction.rollback()


async def is_exact(pool: asyncpg.Pool, count: int) -> None:
    rows = await pool.fetch("select decision_id from recorded_decisions order by 1")
    assert [int(row["decision_id"][4:], 16) for row in rows] == list(range(count))
    assert await differing(pool) == []


async def test_what_is_taken_away_with_a_chunk_in_hand_is_kept_once(
    wiring: Wiring, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    Provision(wiring).apply()
    async with recording(wiring, pool, tmp_path / "0", **_SMALL) as first:
        await decided(wiring, range(200))
        await until_in(pool, wiring, {DECISIONS: 200})
        async with AsyncExitStack() as stack:
            async with held_up(pool, wiring, first, range(200, 400)):
                second = await stack.enter_async_context(recording(wiring, pool, tmp_path / "1", **_SMALL))
                await until(lambda: not first.consumer.flow_active, "partitions are asked back")
            await until(lambda: bool(second.consumer.assignment()), "the other has partitions")
            await decided(wiring, range(400, 600))
            await until_in(pool, wiring, {DECISIONS: 600})
        await decided(wiring, range(600, 800))
        await until_in(pool, wiring, {DECISIONS: 800})
    await is_exact(pool, 800)


async def test_a_chunk_in_hand_is_left_where_reading_goes_back(
    wiring: Wiring, pool: asyncpg.Pool, tmp_path: Path
) -> None:
    Provision(wiring).apply()
    async with recording(wiring, pool, tmp_path, **_SMALL) as app:
        await decided(wiring, range(200))
        await until_in(pool, wiring, {DECISIONS: 200})
        async with held_up(pool, wiring, app, range(200, 400)):
            decisions = [tp for tp in app.consumer.assignment() if tp.topic == wiring.topic(DECISIONS)]
            assert [app.go_back(tp, 0) for tp in decisions] == [True] * 4
            assert in_hand(app) == 0
        await until_in(pool, wiring, {DECISIONS: 400})
        await decided(wiring, range(400, 600))
        await until_in(pool, wiring, {DECISIONS: 600})
    await is_exact(pool, 600)
