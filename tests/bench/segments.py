"""Customers a second with 100 live segments: the core against trying every segment, and through Kafka and Postgres."""

from __future__ import annotations

import asyncio
import random
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import psutil

from agents.broker.producer import write_all
from agents.broker.records import Output
from console.cli.context import database
from deploy.settings.settings import Settings
from schemas.segment import SegmentDefinition
from store.segments import Segments
from streams.conditions.compile import PLAIN
from streams.conditions.fields import CUSTOMER_FIELDS
from streams.conditions.parse import parse_condition
from streams.segments import SegmentIndex
from tests.bench.recorder import cpu_seconds
from tests.bench.rules import COUNTRIES, TIERS
from tests.e2e.harness import Product, product

SEGMENTS = 100
CORE_CUSTOMERS = 20_000
WARM_UP = 3_000
CUSTOMERS = 20_000


def definitions() -> list[SegmentDefinition]:
    """By country and tier, half of them with a bound, every tenth with a date."""
    rng, found = random.Random(7), []
    for number in range(SEGMENTS):
        when: dict[str, Any] = {
            "customer.metadata.country": rng.choice(COUNTRIES), "customer.metadata.tier": rng.choice(TIERS)
        }  # fmt: skip
        if number % 2:
            when["customer.metadata.value"] = {"at_least": rng.randrange(1000)}
        if number % 10 == 0:
            when["customer.metadata.last_order"] = {"within_last": "90d"}
        now = datetime.now(UTC)
        found.append(
            SegmentDefinition(id=f"s{number}", project_id="shop", name="s", version=1, when=when, updated_at=now)
        )
    return found


def customer(number: int, rng: random.Random) -> dict[str, Any]:
    """A profile that some of the segments fit."""
    metadata = {
        "country": rng.choice(COUNTRIES), "tier": rng.choice(TIERS), "value": rng.randrange(1000),
        "last_order": f"2026-{rng.randrange(1, 12):02}-{rng.randrange(1, 28):02}",
    }  # fmt: skip
    return {"id": f"c{number}", "email": f"c{number}@example.com", "metadata": metadata}


def measure_core() -> dict[str, float]:
    """Customers a second of the index and of every condition in turn."""
    rng, now, index, runs = random.Random(1), datetime.now(UTC), SegmentIndex("shop"), {}
    for one in definitions():
        index.insert(one)
        condition, _ = parse_condition(one.when, CUSTOMER_FIELDS)
        if condition is not None:
            runs[one.id] = PLAIN.compile(condition)
    rows = [(f"c{number}", msgspec.json.encode(customer(number, rng))) for number in range(CORE_CUSTOMERS)]
    began = time.perf_counter()
    ours = [index.of(identity, row, now).members for identity, row in rows]
    middle = time.perf_counter()
    brute = []
    for _, row in rows:
        facts = {"customer": msgspec.json.decode(row)}
        brute.append({name for name, run in runs.items() if run(facts, now) is True})
    ended = time.perf_counter()
    if ours != brute:
        raise AssertionError("the index and trying every segment differ")
    return {"ours": CORE_CUSTOMERS / (middle - began), "brute": CORE_CUSTOMERS / (ended - middle)}


async def measure_process(settings: Settings, folder: Path, postgres: psutil.Process) -> dict[str, dict[str, float]]:
    """Customers through one segmenter, each profile's entries told and kept: new ones, then the same ones changed.

    `per_second` is as much the machine's as ours; `own_us` and `postgres_us` are the CPU of a customer.
    """
    async with product(settings, folder, roles=("segmenter",)) as running:
        async with database(running.wiring) as pool:
            segments, now = Segments(pool), datetime.now(UTC)
            await segments.save([(one, "") for one in definitions()], applied_by="bench", now=now)
            while not all(one.is_computed for one in await segments.current("shop")):
                await asyncio.sleep(0.05)
        rng, found = random.Random(2), {}
        await _bring_in(running, rng, range(-WARM_UP, 0), postgres)  # the group comes together, and servers warm up
        for what in ("new", "changed"):
            found[what] = await _bring_in(running, rng, range(CUSTOMERS), postgres)
        return found


async def _bring_in(running: Product, rng: random.Random, numbers: range, postgres: psutil.Process) -> dict[str, float]:
    topic, codec = running.wiring.topic("customers"), running.wiring.codec("customers")
    rows = [customer(number, rng) for number in numbers]
    outputs = [Output(topic, row["id"].encode(), codec.encode(row)) for row in rows]
    segmenter = psutil.Process(running.workers.workers[0].pid)
    began, own, theirs = time.perf_counter(), cpu_seconds(segmenter), cpu_seconds(postgres)
    await write_all(running.producer, outputs)
    await running.until(running.all_processed, "all profiles are in", patience=300)
    each = 1e6 / len(rows)
    return {
        "per_second": len(rows) / (time.perf_counter() - began),
        "own_us": (cpu_seconds(segmenter) - own) * each,
        "postgres_us": (cpu_seconds(postgres) - theirs) * each,
    }
