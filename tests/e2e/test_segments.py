"""From a changed profile to a message, and segmenters that are killed on the way."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agents.broker.producer import write_all
from agents.broker.reader import TopicReader
from agents.broker.records import Output
from agents.wiring import Wiring
from console.cli.context import database
from schemas.segment import SegmentDefinition
from store.segments import Segments
from tests.e2e.harness import PATIENCE, Product, product, thanks

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
