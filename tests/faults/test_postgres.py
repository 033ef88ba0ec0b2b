"""A database that fails over, stops and comes back under senders whose clocks are wrong: counted message by message."""

from __future__ import annotations

import asyncio
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from channels.fakes.http import Reply
from deploy.embedded.servers import Servers
from deploy.secret import Secret
from deploy.settings.servers import Kafka, Postgres, Topics
from deploy.settings.settings import Settings
from tests.e2e.harness import Product, product, thanks
from tests.faults.harness import FULL
from tests.integration.test_postgres_away import end_all_connections, read_only

pytestmark = pytest.mark.timeout(1200 if FULL else 600)

RATE = 100

SKEWED = """\
import sys, time
from datetime import timedelta
import agents.clock

minutes = {"sender-0": 2, "sender-1": -2}
offset = sum(60 * wrong for name, wrong in minutes.items() if any(one.endswith(name) for one in sys.orig_argv))
right, moment = time.time, agents.clock.utc_now
time.time = lambda: right() + offset
agents.clock.utc_now = lambda: moment() + timedelta(seconds=offset)
"""
"""Python runs it at its start, as `sitecustomize`: one sender is ahead, one behind, by far more than a lease."""


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Servers]:
    """Servers that the test may break."""
    servers = Servers(tmp_path / "servers", os.environ)
    yield servers
    servers.stop()


async def test_nothing_that_was_sent_is_sent_again_whatever_the_database_does_and_the_clocks_say(
    own: Servers, tmp_path: Path
) -> None:
    endpoints = await asyncio.to_thread(own.start)
    settings = Settings(
        kafka=Kafka(bootstrap=endpoints.kafka),
        postgres=Postgres(dsn=Secret(endpoints.postgres)),
        topics=Topics(prefix="p.", partitions=4),
    )
    (tmp_path / "sitecustomize.py").write_text(SKEWED)
    async with product(settings, tmp_path, processes=2, environ={"PYTHONPATH": str(tmp_path)}) as running:
        await running.apply(thanks(running.receiver.url))
        await running.load_customers(50)
        running.receiver.usually = Reply(delay=0.3)  # so that many are under way at any moment
        for number in range(5 if FULL else 1):
            await running.feed(50, RATE, seed=3 * number)
            await _while_feeding(running, 3 * number + 1, _cannot_write(own, running))
            await _while_feeding(running, 3 * number + 2, _stops(own, 60.0 if FULL and number == 0 else 1.0))
        await running.until_delivered()
        running.check()
        assert all(worker.starts == 1 for worker in running.workers.workers), "somebody ended for it"
        assert "Traceback" not in running.logs_of("sender")


async def _while_feeding(running: Product, seed: int, breaking: asyncio.Future[None]) -> None:
    await asyncio.gather(running.feed(200, RATE, seed), breaking)
    await running.until_delivered()


def _cannot_write(own: Servers, running: Product) -> asyncio.Future[None]:
    """As after a failover whose old primary lives on; until every sender says that it waits."""

    async def breaking() -> None:
        await read_only(own.postgres.dsn, "on")
        await asyncio.sleep(0.5)  # for what is told so by the statement itself, before the connection is gone
        await end_all_connections(own.postgres.dsn)
        await running.until(lambda: all(map(_waits, _senders(running))), "both senders say what they wait for")
        await read_only(own.postgres.dsn, "off")

    return asyncio.ensure_future(breaking())


def _stops(own: Servers, seconds: float) -> asyncio.Future[None]:
    async def breaking() -> None:
        await asyncio.to_thread(own.postgres.stop)
        await asyncio.sleep(seconds)
        await asyncio.to_thread(own.postgres.start)

    return asyncio.ensure_future(breaking())


def _senders(running: Product) -> list[Path]:
    return [one.status_file for one in running.workers.workers if one.role == "sender" and one.status_file]


def _waits(status_file: Path) -> bool:
    try:
        with urllib.request.urlopen(status_file.read_text() + "/healthz", timeout=5) as answer:
            health = msgspec.json.decode(answer.read())
    except OSError:
        return False
    return bool(health["status"] == "waiting" and health["waits_for"] == ["Postgres"])
