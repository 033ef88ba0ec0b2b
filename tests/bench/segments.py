"""Customers a second with 100 live segments: the core against trying every segment, and through Kafka and Postgres.

The latter from the first transaction to the last, so that neither starting nor writing the topic is in it.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import msgspec
import psutil

from agents.broker.producer import write_all
from agents.broker.records import Output
from console.cli.context import database
from deploy.embedded.servers import Servers
from deploy.settings.settings import Settings
from schemas.segment import SegmentDefinition
from store.segments import Segments
from streams.conditions.compile import PLAIN
from streams.conditions.fields import CUSTOMER_FIELDS
from streams.conditions.parse import parse_condition
from streams.segments import SegmentIndex
from tests.bench import cpu
from tests.bench.rules import COUNTRIES, TIERS
from tests.e2e.harness import Product, product

SEGMENTS = 100
CUSTOMERS = int(os.environ.get("SEGMENT_CUSTOMERS", "100000"))
_OWN = "own"
_POSITION = "select coalesce(sum(next_offset), 0)::bigint from segment_positions where topic = $1"
_LOOK_EVERY = 0.02
_PATIENCE = 1200.0
WARM_UP = 3_000


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
    rows = [(f"c{number}", msgspec.json.encode(customer(number, rng))) for number in range(CUSTOMERS)]
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
    return {"ours": CUSTOMERS / (middle - began), "brute": CUSTOMERS / (ended - middle)}


async def measure_process(settings: Settings, folder: Path, servers: Servers) -> dict[str, dict[str, float]]:
    """Customers through one segmenter, each profile's entries told and kept: new ones, then the same ones changed.

    `per_second` is as much the machine's as ours; `own_us` and those of the servers are the CPU of a customer.
    """
    async with product(settings, folder, roles=("segmenter",)) as running, database(running.wiring) as pool:
        segments, now = Segments(pool), datetime.now(UTC)
        await segments.save([(one, "") for one in definitions()], applied_by="bench", now=now)
        while not all(one.is_computed for one in await segments.current("shop")):
            await asyncio.sleep(0.05)
        rng, found = random.Random(2), {}
        await _bring_in(running, pool, servers, _profiles(range(-WARM_UP, 0), rng))  # the group comes together
        for what in ("new", "changed"):
            found[what] = await _bring_in(running, pool, servers, _profiles(range(CUSTOMERS), rng))
        return found


def _profiles(numbers: range, rng: random.Random) -> list[dict[str, Any]]:
    return [customer(number, rng) for number in numbers]


async def _bring_in(
    running: Product, pool: asyncpg.Pool, servers: Servers, rows: list[dict[str, Any]]
) -> dict[str, float]:
    topic, codec = running.wiring.topic("customers"), running.wiring.codec("customers")
    outputs = [Output(topic, row["id"].encode(), codec.encode(row)) for row in rows]
    segmenter = {_OWN: psutil.Process(running.workers.workers[0].pid)}
    with cpu.Watch(segmenter | cpu.server_processes(servers)) as watch:
        before = await pool.fetchval(_POSITION, topic)
        looking = asyncio.ensure_future(_transactions(running, pool, topic, before, len(rows)))
        await write_all(running.producer, outputs, patience=300)
        steps = await looking
    first, last = steps[0], steps[-1]
    used = cpu.a_unit(watch.between(first.at, last.at), last.customers - first.customers)
    return {"per_second": rate_between(steps), **{f"{name}_us": us for name, us in used.items()}}


class Step(NamedTuple):
    """So many customers were in, by the transactions until a moment in Unix seconds."""

    at: float
    customers: int


async def _transactions(running: Product, pool: asyncpg.Pool, topic: str, before: int, count: int) -> list[Step]:
    """From the first transaction that brings some of the next customers in to the last, looked at from outside."""
    steps: list[Step] = []
    deadline = time.monotonic() + _PATIENCE
    while not steps or steps[-1].customers < count:
        came = await pool.fetchval(_POSITION, topic) - before
        if came > (steps[-1].customers if steps else 0):
            steps.append(Step(time.time(), came))
        if time.monotonic() > deadline:
            raise SystemExit(f"{came} of {count} customers after {_PATIENCE:.0f} s\n{running.logs()}")
        running.workers.look()
        await asyncio.sleep(_LOOK_EVERY)
    return steps


def rate_between(steps: Sequence[Step]) -> float:
    """Customers a second between the first transaction and the last; those of the first came before it was there."""
    (began, had), (ended, have) = steps[0], steps[-1]
    return (have - had) / (ended - began) if ended > began else 0.0
