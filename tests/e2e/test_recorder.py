"""Recorders that are killed, and what they keep held against what the topics say."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from agents.broker.reader import TopicReader
from agents.wiring import Wiring
from console.cli.context import database
from schemas.decision import Decision, DeliveryStatus
from tests.counted import differing
from tests.e2e.harness import PATIENCE, Product, product, thanks
from tests.integration.test_recorder import decision
from tests.integration.test_why import written

pytestmark = pytest.mark.timeout(600)

KILLS = 20 if os.environ.get("FAULTS") == "full" else 6
RATE = 300.0
"""Events a second, while recorders are killed."""


def on_topic(running: Product, topic: str, kind: Any) -> list[Any]:
    with TopicReader(running.wiring, topic) as reader:
        return [msgspec.convert(reader.decode(message), kind) for message in reader.until_now()]


async def recorded(pool: asyncpg.Pool) -> int:
    """Records of decisions and deliveries that are in; 0 before any is."""
    sql = "select coalesce(sum(next_offset), 0)::bigint from recorded_positions where topic !~ '\\mevents\\.'"
    return int(await pool.fetchval(sql))


async def kill_under_load(running: Product, pool: asyncpg.Pool, rng: random.Random) -> None:
    """Kill recorders at moments that are as random as the records that are in by then, while events are fed."""
    for _ in range(KILLS):
        target, deadline = await recorded(pool) + rng.randrange(1, 150), time.monotonic() + PATIENCE
        while await recorded(pool) < target:
            assert time.monotonic() < deadline, f"nothing more is recorded\n{running.logs()}"
            running.workers.look()
            await asyncio.sleep(0.002)
        rng.choice([one for one in running.workers.workers if one.role == "recorder"]).send(signal.SIGKILL)


def counts_of(records: Iterable[Decision | DeliveryStatus]) -> Counter[tuple[Any, ...]]:
    """Numbers of records by the minute of their event and what came out."""
    return Counter(
        (
            one.event.created_at.replace(second=0, microsecond=0), one.distribution.id, one.outcome, one.reason or "",
            one.channel or "", one.arm or "",
        )
        for one in records
    )  # fmt: skip


async def counted(pool: asyncpg.Pool, table: str) -> dict[tuple[Any, ...], int]:
    """The same as recorders have counted it."""
    key = "minute, distribution_id, outcome, reason, channel, arm"
    rows = await pool.fetch(f"select {key}, sum(count)::bigint from recorded_{table}_by_minute group by {key}")  # noqa: S608
    return {tuple(row)[:-1]: row["sum"] for row in rows if row["sum"]}


async def test_each_record_is_kept_and_counted_once_though_recorders_are_killed(wiring: Wiring, tmp_path: Path) -> None:
    rng = random.Random(17)
    roles: Any = ("matcher", "sender", "recorder")
    async with (
        product(wiring.settings, tmp_path, roles=roles, processes=2) as running,
        database(running.wiring) as pool,
    ):
        await running.load_customers(50)
        await running.apply(thanks(running.receiver.url))
        killing = asyncio.ensure_future(kill_under_load(running, pool, rng))
        while not killing.done():
            await running.feed(100, RATE, seed=len(running.published))
        await killing
        await running.publish(running.published[:])  # a replay: the same ids, decided once more
        await running.until_delivered()
        decided = on_topic(running, "decisions", Decision)
        ended = on_topic(running, "delivery.status", DeliveryStatus)
        rows = await pool.fetch("select decision_id, outcome, reason, channel, decided_at from recorded_decisions")
        ends = await pool.fetch("select delivery_id, outcome, occurred_at from recorded_statuses")
        last = {one.decision_id: one for one in decided}
        assert len(decided) > len(last), "the replay decides again"
        assert len(rows) == len(last)
        assert {row["decision_id"]: tuple(row)[1:] for row in rows} == {
            one.decision_id: (one.outcome, one.reason, one.channel, one.decided_at) for one in last.values()
        }
        each = {(one.delivery_id, one.outcome, one.occurred_at): one for one in ended}
        assert sorted(map(tuple, ends)) == sorted(each)
        assert await recorded(pool) == len(decided) + len(ended)
        bought = await pool.fetch("select event_id from recorded_purchases where kind = 'order'")
        assert sorted(row["event_id"] for row in bought) == sorted({event.id for event in running.published})
        assert await counted(pool, "decisions") == counts_of(last.values())
        assert await counted(pool, "statuses") == counts_of(each.values())
        assert await differing(pool) == []


def of_customers(count: int, start: int = 0) -> list[Decision]:
    return [decision(number, customer_id=f"c{number % 50}") for number in range(start, start + count)]


async def test_what_a_restored_database_lacks_is_read_again(wiring: Wiring, tmp_path: Path) -> None:
    """Twice: where the recorder is started anew and nothing comes, and where it goes on and something comes."""
    roles: Any = ("recorder",)
    async with product(wiring.settings, tmp_path, roles=roles) as running, database(running.wiring) as pool:
        made = of_customers(400)
        places = dict(zip((one.decision_id for one in made), await written(running.wiring, made), strict=True))

        async def ids() -> set[str]:
            return {row[0] for row in await pool.fetch("select decision_id from recorded_decisions")}

        async def until_there(expected: set[str]) -> None:
            deadline = time.monotonic() + 90
            while (found := await ids()) != expected:
                assert time.monotonic() < deadline, (len(found), len(expected), running.logs())
                running.workers.look()
                await asyncio.sleep(0.1)

        async def restored() -> set[str]:
            """To where half of each partition was in; the ids of the other halves."""
            async with pool.acquire() as connection, connection.transaction():
                await connection.execute("lock table recorded_positions")
                await connection.execute("update recorded_positions set next_offset = next_offset / 2")
                rows = await connection.fetch("select partition, next_offset from recorded_positions")
                begins = {row["partition"]: row["next_offset"] for row in rows}
                lost = {one for one, place in places.items() if place.offset >= begins[place.partition]}
                await connection.execute("truncate recorded_decisions, recorded_decisions_by_minute")
            return lost

        await until_there(set(places))
        await running.until(running.all_processed, "all of it is committed")
        lost = await restored()
        assert 100 < len(lost) < 300
        running.workers.workers[0].send(signal.SIGKILL)
        await until_there(lost)
        lost = await restored()
        new = of_customers(50, 400)
        places |= dict(zip((one.decision_id for one in new), await written(running.wiring, new), strict=True))
        await until_there(lost | {one.decision_id for one in new})
        await running.until(running.all_processed, "all of it is committed anew")
        assert await differing(pool) == []
