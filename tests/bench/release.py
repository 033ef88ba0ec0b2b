"""Messages that have waited, one a customer, and fall due at once: released and worked off beside live events."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import msgspec

from agents.broker.producer import write_all
from agents.broker.records import Output
from console.cli.context import database
from tests.bench.beside import PATIENCE, Backlog, parsed
from tests.e2e.harness import Product

_COUNT = int(os.environ.get("DUE", "200000"))
_CHUNK = 20_000
_TYPE = "customer.order.created"


def a_release() -> Backlog:
    """Messages that came into the database through matcher and holder, and fall due in one moment."""
    rule = parsed("reminders", _TYPE, {"sms": {"account": "main", "text": "Still thinking?"}}, delay="30d")
    return Backlog(("matcher", "holder"), rule, _wait, _fall_due, _left)


async def _wait(running: Product) -> None:
    topic = running.wiring.topic("events.orders")
    for chunk in range(0, _COUNT, _CHUNK):
        numbers = range(chunk, min(chunk + _CHUNK, _COUNT))
        await write_all(running.producer, [Output(topic, *_created(number)) for number in numbers], patience=60)
        running.workers.look()
    await running.until(running.all_processed, "all wait", PATIENCE)
    async with database(running.wiring) as pool:
        assert await pool.fetchval("select count(*) from holds where ended_at is null") == _COUNT


async def _fall_due(running: Product) -> None:
    async with database(running.wiring) as pool:
        await pool.execute("update holds set until_at = now()")


async def _left(running: Product) -> float:
    async with database(running.wiring) as pool:
        return int(await pool.fetchval("select count(*) from holds where ended_at is null")) + running.lag_left()


def _created(number: int) -> tuple[bytes, bytes]:
    customer = f"waiting{number}"
    data = {"customer": {"id": customer, "phone": "+48500000000"}, "order": {"id": f"w{number}", "amount": 5000}}
    event = {"id": f"w{number}", "project_id": "shop", "type": _TYPE, "created_at": datetime.now(UTC), "data": data}
    return customer.encode(), msgspec.json.encode(event)
