"""Promises for when things break: nothing lost, no new ids, and doubles only where a provider may have accepted."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from agents.wiring import Wiring
from console.cli.supervisor import WorkerProcess
from deploy.embedded.servers import Servers
from deploy.secret import Secret
from deploy.settings.servers import Kafka, Postgres, Topics
from deploy.settings.settings import Settings
from tests.e2e.harness import Product, product, thanks

pytestmark = pytest.mark.timeout(600)

IN_FLIGHT = 50 + 4
"""Attempts that one sender can have under way: the concurrency to one endpoint, and the connections to one mailbox."""


async def begin(running: Product) -> None:
    await running.apply(thanks(running.receiver.url))
    await running.load_customers(50)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_a_matcher_killed_at_random_points_loses_and_doubles_nothing(
    wiring: Wiring, tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    kills = sorted(rng.sample(range(300, 2700, 50), 3))
    async with product(wiring.settings, tmp_path, processes=2) as running:
        await begin(running)
        matchers = [worker for worker in running.workers.workers if worker.role == "matcher"]

        def maybe_kill(number: int) -> None:
            if number in kills:
                rng.choice(matchers).send(signal.SIGKILL)

        await running.feed(3000, 400, seed, maybe_kill)
        await running.until_delivered()
        running.check()
        assert sum(worker.starts for worker in matchers) > len(matchers)


@pytest.mark.parametrize("seed", [4, 5])
async def test_a_sender_killed_at_random_points_loses_nothing_and_doubles_only_what_was_in_flight(
    wiring: Wiring, tmp_path: Path, seed: int
) -> None:
    rng = random.Random(seed)
    kills = sorted(rng.sample(range(300, 1700, 50), 2))
    async with product(wiring.settings, tmp_path) as running:
        await begin(running)
        (sender,) = [worker for worker in running.workers.workers if worker.role == "sender"]

        def maybe_kill(number: int) -> None:
            if number in kills:
                sender.send(signal.SIGKILL)

        await running.feed(2000, 300, seed, maybe_kill)
        await running.until_delivered()
        running.check(doubles=len(kills) * IN_FLIGHT)
        assert sender.starts == 1 + len(kills)


@pytest.fixture
def own(tmp_path: Path) -> Servers:
    """A pair of servers that the test may break."""
    return Servers(tmp_path / "servers", os.environ)


def settings_of(own: Servers) -> Settings:
    endpoints = own.start()
    return Settings(
        kafka=Kafka(bootstrap=endpoints.kafka),
        postgres=Postgres(dsn=Secret(endpoints.postgres)),
        topics=Topics(prefix="f.", partitions=4),
    )


@pytest.mark.parametrize("server", ["kafka", "postgres"])
async def test_a_server_killed_and_started_again_under_load_loses_nothing(
    own: Servers, tmp_path: Path, server: str
) -> None:
    settings = await asyncio.to_thread(settings_of, own)
    try:
        async with product(settings, tmp_path) as running:
            await begin(running)
            await running.feed(500, 400, seed=8)
            broken = getattr(own, server)
            await asyncio.to_thread(broken.kill)
            feeding = asyncio.create_task(running.feed(500, 400, seed=9))
            await asyncio.sleep(2.0)  # so long it is away
            await asyncio.to_thread(broken.start)
            await feeding
            await running.until_delivered()
            running.check(doubles=IN_FLIGHT)
    finally:
        await asyncio.to_thread(own.stop)


def health_of(worker: WorkerProcess) -> dict[str, Any]:
    assert worker.status_file is not None
    with urllib.request.urlopen(worker.status_file.read_text() + "/healthz", timeout=30) as answer:
        return dict(json.load(answer))


async def test_workers_wait_for_servers_that_are_not_there_yet(own: Servers, tmp_path: Path) -> None:
    settings = await asyncio.to_thread(settings_of, own)
    try:
        async with product(settings, tmp_path) as running:
            await begin(running)
            await asyncio.to_thread(running.workers.stop)
            await asyncio.to_thread(own.stop)
            running.workers.start()
            noticed = [tmp_path / f"{role}-0.log" for role in ("matcher", "sender")]
            await running.until(
                lambda: all("dependency_unavailable" in log.read_text() for log in noticed),
                "both say what they wait for",
            )
            assert [worker.starts for worker in running.workers.workers] == [2, 2]
            said = [await asyncio.to_thread(health_of, worker) for worker in running.workers.workers]
            assert [(one["status"], one["healthy"], one["waits_for"]) for one in said] == [
                ("waiting", True, ["Kafka"])
            ] * 2
            await asyncio.to_thread(own.start)
            await running.feed(200, 1000, seed=10)
            await running.until_delivered()
            running.check()
    finally:
        await asyncio.to_thread(own.stop)
