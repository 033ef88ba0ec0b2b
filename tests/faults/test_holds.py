"""Holds whose holders are killed and whose database goes away: each is released or cancelled once in effect."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agents.broker.reader import TopicReader
from agents.wiring import Wiring
from console.cli.context import database
from deploy.embedded.servers import Servers
from deploy.secret import Secret
from deploy.settings.servers import Kafka, Postgres, Topics
from deploy.settings.settings import Settings
from schemas.events.event import Event
from tests.e2e.harness import Product, product, thanks
from tests.faults.harness import FULL

pytestmark = pytest.mark.timeout(1800 if FULL else 600)

HELD, KILLS = (100_000, 20) if FULL else (3000, 3)
AWAY_SECONDS = 60.0 if FULL else 1.0
CUSTOMERS = 5000
ROLES: Any = ("matcher", "holder")


def waits(**changes: Any) -> dict[str, Any]:
    """A thank-you that waits, and that the cancellation of its order ends."""
    ends = {"trigger": "customer.order.canceled", "same": "order.id"}
    hook = [{"webhook": {"url": "http://127.0.0.1:1/hook", "type": "thanks"}}]
    return thanks("", when=None, consent="transactional", channels=hook, unless=ends, **changes)


async def test_killed_holders_release_or_cancel_each_hold_once(wiring: Wiring, tmp_path: Path) -> None:
    rng = random.Random(11)
    async with product(wiring.settings, tmp_path, roles=ROLES, processes=2) as running:
        running.lag.roles = ROLES
        await running.apply(waits(delay="1d"))
        canceled = set(rng.sample(range(HELD), HELD // 3))
        for first in range(0, HELD, 1000):
            await running.publish(about("customer.order.paid", range(first, first + 1000)))
            running.workers.look()
        await until_processed(running)
        await running.publish(about("customer.order.canceled", sorted(canceled)))
        await until_processed(running)
        await kill_while_releasing(running, rng)
        await until_processed(running)
        check(running, range(HELD), canceled)


async def kill_while_releasing(running: Product, rng: random.Random) -> None:
    """All moments have come: kill a holder whenever so many more are over, until none is left."""
    at = sorted(rng.sample(range(HELD * 9 // 10), KILLS))
    holders = [one for one in running.workers.workers if one.role == "holder"]
    async with database(running.wiring) as pool:
        assert await pool.fetchval("select count(*) from holds where ended_at is null") == HELD
        await pool.execute("update holds set until_at = now()")
        left = HELD
        while left:
            left = await pool.fetchval("select count(*) from holds where ended_at is null")
            while at and HELD - left >= at[0]:
                del at[0]
                rng.choice(holders).send(signal.SIGKILL)
            running.workers.look()
            await asyncio.sleep(0.01)
    assert not at
    assert sum(one.starts for one in holders) > len(holders)


async def test_what_falls_due_while_postgres_is_gone_is_released_once(tmp_path: Path) -> None:
    own = Servers(tmp_path / "servers", os.environ)
    try:
        endpoints = await asyncio.to_thread(own.start)
        settings = Settings(
            kafka=Kafka(bootstrap=endpoints.kafka),
            postgres=Postgres(dsn=Secret(endpoints.postgres)),
            topics=Topics(prefix="p.", partitions=4),
        )
        async with product(settings, tmp_path, roles=ROLES, processes=2) as running:
            running.lag.roles = ROLES
            await running.apply(waits(delay="2s"))
            await running.publish(about("customer.order.paid", range(300)))
            await running.until(lambda: len(decided(running)["deferred"]) == 300, "they wait")
            await asyncio.to_thread(own.postgres.stop)
            await running.publish(about("customer.order.paid", range(300, 600)))
            await asyncio.sleep(AWAY_SECONDS)
            await asyncio.to_thread(own.postgres.start)
            await running.publish(about("customer.order.paid", range(600, 900)))
            await running.until(lambda: len(decided(running)["emitted"]) >= 900, "all are released")
            await until_processed(running)
            check(running, range(900), set())
            assert all(one.starts == 1 for one in running.workers.workers), "somebody ended for it"
    finally:
        await asyncio.to_thread(own.stop)


def about(kind: str, numbers: Sequence[int]) -> Iterator[Event]:
    """An event a number, each of an order of its own."""
    for number in numbers:
        data = {"customer": {"id": f"c{number % CUSTOMERS}"}, "order": {"id": f"o{number}", "amount": 1000}}
        yield Event(id=f"{kind}-{number}", project_id="shop", type=kind, created_at=datetime.now(UTC), data=data)


async def until_processed(running: Product) -> None:
    """Wait as long as less and less is left."""
    left = running.lag_left()
    while left:
        before = left
        await running.until(lambda: running.lag_left() < before, "some of the rest is processed")  # noqa: B023
        left = running.lag_left()


def decided(running: Product) -> dict[str, set[str]]:
    """The events of each outcome."""
    found: dict[str, set[str]] = defaultdict(set)
    for one in running.decisions():
        found[one.outcome].add(one.event.id)
    return found


def check(running: Product, numbers: Sequence[int], canceled: set[int]) -> None:
    """Each is decided once, as it has to be, and what leaves is what was emitted."""
    wanted = {f"customer.order.paid-{number}": "skipped" if number in canceled else "emitted" for number in numbers}
    final = {one.decision_id: one for one in running.decisions() if one.outcome != "deferred"}
    assert {one.event.id: one.outcome for one in final.values()} == wanted
    assert len(final) == len(wanted), "somebody was decided twice"
    assert {one.reason for one in final.values()} == ({None, "canceled"} if canceled else {None})
    with TopicReader(running.wiring, "deliveries.webhook") as reader:
        sent = Counter(one["event"]["id"] for one in {
            each["delivery_id"]: each for each in map(reader.decode, reader.until_now())
        }.values())  # fmt: skip
    assert sent == Counter(event for event, outcome in wanted.items() if outcome == "emitted")
