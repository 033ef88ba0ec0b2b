"""From a changed profile to a message, and segmenters that are killed on the way."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from agents.broker.producer import write_all
from agents.broker.reader import TopicReader
from agents.broker.records import Output
from agents.wiring import Wiring
from console.cli.context import database
from schemas.events.event import Event
from schemas.segment import SegmentDefinition
from store.segments import Segments
from streams.behaviours import behaviours_of
from streams.conditions.behaviour import Record
from streams.conditions.fields import CUSTOMER_FIELDS
from streams.conditions.parse import parse_condition
from tests.e2e.harness import PATIENCE, Product, product, thanks
from tests.factory import event

pytestmark = pytest.mark.timeout(600)


async def apply_gold(running: Product) -> None:
    made = SegmentDefinition(
        id="gold", project_id="shop", name="Gold", version=1, when={"customer.metadata.tier": "gold"},
        updated_at=datetime.now(UTC),
    )  # fmt: skip
    async with database(running.wiring) as pool:
        segments = Segments(pool)
        await segments.save([(made, "")], applied_by="test", now=datetime.now(UTC))
        deadline = time.monotonic() + PATIENCE
        while not all(one.is_computed for one in await segments.current("shop")):
            assert time.monotonic() < deadline, running.logs()
            await asyncio.sleep(0.05)


async def put(running: Product, rows: list[dict[str, Any]]) -> None:
    topic, codec = running.wiring.topic("customers"), running.wiring.codec("customers")
    await write_all(running.producer, [Output(topic, row["id"].encode(), codec.encode(row)) for row in rows])


async def test_a_profile_that_enters_a_segment_brings_its_webhook(wiring: Wiring, tmp_path: Path) -> None:
    async with product(wiring.settings, tmp_path, roles=("matcher", "sender", "segmenter")) as running:
        hook = [{"webhook": {"url": running.receiver.url, "type": "welcome-gold"}}]
        trigger = {"event": "customer.segment.entered", "segment": "gold"}
        await running.apply(thanks("", trigger=trigger, when=None, channels=hook))
        await running.load_customers(2)
        await apply_gold(running)
        await put(running, [{**running.customers["c1"], "metadata": {"tier": "gold"}}])
        await running.until(lambda: bool(running.receiver.received), "the webhook arrived")
        await running.until(running.all_processed, "no lag is left")
        assert len(running.receiver.received) == 1


async def test_killed_segmenters_lose_nothing_and_tell_each_change_once(wiring: Wiring, tmp_path: Path) -> None:
    rng = random.Random(5)
    tiers = dict.fromkeys((f"c{number}" for number in range(200)), "tin")
    changes: Counter[tuple[str, str]] = Counter()
    async with product(wiring.settings, tmp_path, roles=("segmenter",), processes=2) as running:
        await put(running, [{"id": one} for one in tiers])
        await running.until(running.all_processed, "profiles are in")
        await apply_gold(running)
        for turn in range(30):
            rows = []
            for one in rng.choices(list(tiers), k=100):
                before, tiers[one] = tiers[one], rng.choice(["gold", "tin"])
                if before != tiers[one]:
                    changes["entered" if tiers[one] == "gold" else "left", one] += 1
                rows.append({"id": one, "metadata": {"tier": tiers[one]}})
            await put(running, rows)
            if turn in (8, 16, 24):
                rng.choice(running.workers.workers).send(signal.SIGKILL)
            running.workers.look()
        await running.until(running.all_processed, "all changes are in")
        with TopicReader(running.wiring, "events.segments") as reader:
            events = {one["id"]: one for one in map(reader.decode, reader.until_now())}
        told = Counter((one["type"].rpartition(".")[2], one["data"]["customer"]["id"]) for one in events.values())
        assert told == changes
        async with database(running.wiring) as pool:
            members = {row["customer_id"] for row in await Segments(pool).members("shop", "gold", 1000)}
        assert members == {one for one, tier in tiers.items() if tier == "gold"}


PAID, BIG = {"type": "customer.order.paid"}, {"order.amount": {"at_least": 100}}
COUNTING = {
    "loyal": {"events": {**PAID, "within": "700d", "when": BIG, "count": {"at_least": 7}}},
    "fresh": {"events": {**PAID, "within": "20s", "count": {"at_least": 1}}},
}


async def members_of(segments: Segments, identity: str) -> set[str]:
    return {row["customer_id"] for row in await segments.members("shop", identity, 1000)}


async def numbers(pool: asyncpg.Pool) -> Counter[str]:
    """The number of orders that is known of each customer, of those that `loyal` counts."""
    condition, _ = parse_condition(COUNTING["loyal"], CUSTOMER_FIELDS, counts_events=True)
    (behaviour,) = behaviours_of(condition)
    rows = await pool.fetch("select customer_id, record from segment_records where key = $1", behaviour.key)
    return Counter({row["customer_id"]: len(msgspec.msgpack.decode(row["record"], type=Record).events) for row in rows})


async def untold(pool: asyncpg.Pool) -> int:
    return int(await pool.fetchval("select count(*) from segment_outbox"))


async def test_killed_segmenters_count_each_order_once_and_time_takes_it_away(wiring: Wiring, tmp_path: Path) -> None:
    """Orders told twice, before and after the segments were there; one of two segmenters is killed now and then."""
    rng, orders = random.Random(9), list[Event]()
    async with product(wiring.settings, tmp_path, roles=("segmenter",), processes=2) as running:
        await put(running, [{"id": f"c{number}"} for number in range(20)])  # the others have no profile
        for turn in range(16):
            new = [paid(len(orders) + more, f"c{rng.randrange(40)}", rng.choice([50, 100, 200])) for more in range(25)]
            await running.publish([*new, *rng.choices([*orders, *new], k=5)])
            orders += new
            if turn == 3:
                await apply_counting(running)
                await until_fresh(running, orders)
            if turn in (6, 11):
                rng.choice(running.workers.workers).send(signal.SIGKILL)
            running.workers.look()
        counted = Counter(one.customer_id for one in orders if one.data["order"]["amount"] >= 100)
        loyal = {customer for customer, count in counted.items() if count >= 7}
        assert 0 < len(loyal) < len(counted)
        async with database(running.wiring) as pool:
            segments, deadline = Segments(pool), time.monotonic() + PATIENCE
            while await numbers(pool) != counted or await members_of(segments, "fresh") or await untold(pool):
                running.workers.look()
                assert time.monotonic() < deadline, running.logs()
                await asyncio.sleep(0.1)
            assert await members_of(segments, "loyal") == loyal
    with TopicReader(wiring, "events.segments") as reader:
        told = list({one["id"]: one for one in map(reader.decode, reader.until_now())}.values())
    times = {(one.customer_id, one.created_at) for one in orders}
    of: dict[tuple[str, str], list[str]] = {}
    for one in told:
        customer, segment = one["data"]["customer"]["id"], one["data"]["segment"]["id"]
        kind = one["type"].rpartition(".")[2]
        of.setdefault((segment, customer), []).append(kind)
        if (segment, kind) == ("fresh", "left"):
            assert (customer, one["created_at"] - timedelta(seconds=20, microseconds=1)) in times
    assert all(kinds == ["entered"] for (segment, _), kinds in of.items() if segment == "loyal")
    assert any(segment == "fresh" for segment, _ in of)
    for kinds in of.values():
        assert all(first != second for first, second in pairwise(kinds))


def paid(number: int, customer: str, amount: int) -> Event:
    data = {"customer": {"id": customer}, "order": {"id": "o", "amount": amount}}
    return event(id=f"e{number}", created_at=datetime.now(UTC).isoformat(), data=data)


async def until_fresh(running: Product, orders: list[Event]) -> None:
    """Order until an order is counted before it is too old to count: a busy machine may take longer for the first."""
    deadline = time.monotonic() + PATIENCE
    async with database(running.wiring) as pool:
        while not await members_of(Segments(pool), "fresh"):
            assert time.monotonic() < deadline, running.logs()
            orders.append(paid(len(orders), "c39", 50))
            await running.publish(orders[-1:])
            await asyncio.sleep(0.5)


async def apply_counting(running: Product) -> None:
    async with database(running.wiring) as pool:
        segments, now = Segments(pool), datetime.now(UTC)
        made = [
            SegmentDefinition(id=name, project_id="shop", name=name, version=1, when=when, updated_at=now)
            for name, when in COUNTING.items()
        ]
        await segments.save([(one, "") for one in made], applied_by="test", now=now)
        deadline = time.monotonic() + PATIENCE
        while not all(one.is_computed for one in await segments.current("shop")):
            running.workers.look()
            assert time.monotonic() < deadline, running.logs()
            await asyncio.sleep(0.05)
