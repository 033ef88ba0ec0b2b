"""Holds through one holder: into Postgres, and out again when they are due, beside a loop that only produces."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from agents.broker.producer import write_all
from agents.broker.records import Output
from console.cli.context import database
from deploy.embedded.servers import Servers
from deploy.settings.settings import Settings
from schemas.delivery import DistributionRef, EventRef
from schemas.hold import Hold
from schemas.topics import DUE, HOLDS
from tests.bench import cpu
from tests.e2e.harness import Product, product

COUNT = int(os.environ.get("HOLDS", "50000"))


async def measure(settings: Settings, folder: Path, servers: Servers) -> dict[str, dict[str, Any]]:
    """Holds a second, and the CPU of each: kept, released, and the same records written by nobody but a producer."""
    async with product(settings, folder, roles=("holder",)) as running:
        topic, codec = running.wiring.topic(HOLDS), running.wiring.codec(HOLDS)
        records = [(f"c{number % 5000}".encode(), codec.encode(_hold(number))) for number in range(COUNT)]
        due = running.wiring.topic(DUE)

        async def keep() -> None:
            await write_all(running.producer, [Output(topic, key, value) for key, value in records], patience=60)
            await running.until(running.all_processed, "all holds are kept")

        async def only_produce() -> None:
            await write_all(running.producer, [Output(due, key, value) for key, value in records], patience=60)

        ways = {"kept": keep, "released": lambda: _release(running), "only produced": only_produce}
        return {name: await _timed(work, servers) for name, work in ways.items()}


async def _timed(work: Callable[[], Awaitable[None]], servers: Servers) -> dict[str, Any]:
    with cpu.spent(servers, ("holder",)) as used:
        began = time.perf_counter()
        await work()
        took = time.perf_counter() - began
    return {"per_second": COUNT / took, "cpu_us": cpu.a_unit(used, COUNT)}


async def _release(running: Product) -> None:
    async with database(running.wiring) as pool:
        await pool.execute("update holds set until_at = now()")
        while await pool.fetchval("select exists (select from holds where ended_at is null)"):
            running.workers.look()
            await asyncio.sleep(0.05)


def _hold(number: int) -> Hold:
    moment = datetime(9999, 1, 1, tzinfo=UTC)
    return Hold(
        hold_id=f"hld_{number:032x}", project_id="shop", customer_id=f"c{number % 5000}",
        distribution=DistributionRef(id="d", version=1, name="d"), occurrence=f"event ev{number}",
        event=EventRef(id=f"ev{number}", type="customer.order.paid", created_at=datetime.now(UTC)), reason="delayed",
        until=moment, due_at=moment, arrived_at=0, topic="events.orders",
        value=msgspec.json.encode({"id": f"ev{number}", "data": {"order": {"note": "x" * 600}}}),
    )  # fmt: skip
