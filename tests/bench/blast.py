"""A blast of manual sends that a matcher works off beside live events."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import msgspec

from agents.broker.producer import write_all
from agents.broker.records import Output
from schemas.events.triggers import MANUAL
from tests.bench.beside import CUSTOMERS, Backlog, parsed
from tests.e2e.harness import Product

_COUNT = int(os.environ.get("BLAST", "100000"))
_CHUNK = 20_000


def a_blast() -> Backlog:
    """Manual events, all there at once."""
    rule = parsed("news", MANUAL, {"sms": {"account": "main", "text": "News"}})
    return Backlog(("matcher",), rule, _none, _publish, _left)


async def _none(_: Product) -> None:
    """Nothing has to be there before."""


async def _publish(running: Product) -> None:
    for chunk in range(0, _COUNT, _CHUNK):
        await write_all(running.producer, [_manual(running, one) for one in range(chunk, min(chunk + _CHUNK, _COUNT))])
        running.workers.look()


async def _left(running: Product) -> float:
    return running.lag_left()


def _manual(running: Product, number: int) -> Output:
    customer = f"c{number % CUSTOMERS}"
    data = {"customer": {"id": customer, "phone": "+48500000000"}, "distribution": {"id": "news", "status": "SENDING"}}
    event = {"id": f"m{number}", "project_id": "shop", "type": MANUAL, "created_at": datetime.now(UTC), "data": data}
    return Output(running.wiring.topic("events.manual"), customer.encode(), msgspec.json.encode(event))
