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

import asyncpg
import psutil
import pytest

from agents.roles.sender.outcomes import MOST_UNSETTLED
from agents.wiring import Wiring
from channels.fakes.http import Reply
from console.cli.supervisor import WorkerProcess
from deploy.embedded.servers import Servers
from deploy.secret import Secret
from deploy.settings.servers import Kafka, Postgres, Topics
from deploy.settings.settings import Settings
from tests.e2e.harness import PATIENCE, Product, kill, product, thanks
from tests.faults.harness import FULL

pytestmark = pytest.mark.timeout(600)

IN_FLIGHT = {"webhook": 50, "email": 4}
"""Attempts that one sender can have under way: the concurrency to one endpoint, and the connections to one mailbox."""


async def begin(running: Product) -> None:
    await running.apply(thanks(running.receiver.url))
    await running.load_customers(50)


@pytest.mark.parametrize("seed", [1, 2, 3] if FULL else [1])
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


async def test_a_sender_killed_at_random_points_loses_nothing_and_doubles_only_what_was_in_flight(
    wiring: Wiring, tmp_path: Path
) -> None:
    seed = 4
    rng = random.Random(seed)
    kills = sorted(rng.sample(range(300, 1700, 50), 2))
    async with product(wiring.settings, tmp_path) as running:
        await begin(running)
        (sender,) = [worker for worker in running.workers.workers if worker.role == "sender"]

        def maybe_kill(number: int) -> None:
            if number in kills:
                kill(sender)

        await running.feed(2000, 300, seed, maybe_kill)
        await running.until_delivered()
        running.check(doubles=len(kills) * (sum(IN_FLIGHT.values()) + MOST_UNSETTLED))
        assert sender.starts == 1 + len(kills)


async def test_a_sender_killed_between_acceptance_and_its_mark_sends_no_more_again_than_was_unmarked(
    wiring: Wiring, tmp_path: Path
) -> None:
    """The same ids again, so that a receiver that knows them and a reader of mail see each message once.

    While the ledger takes no marks, others leave in the place of what was accepted, up to a bound: all of that may come
    again.
    """
    async with product(wiring.settings, tmp_path) as running:
        await begin(running)
        (sender,) = [worker for worker in running.workers.workers if worker.role == "sender"]
        running.receiver.usually, running.mailbox.delay = Reply(delay=2.0), 2.0
        await running.feed(200, 400, seed=6)
        await running.until(lambda: running.receiver.tried.total() >= 20, "many are under way")
        unmarked = await asyncio.wait_for(_killed_unmarked(running, sender), PATIENCE)
        running.receiver.usually, running.mailbox.delay = Reply(), 0.0
        await running.until_delivered()
        again = {channel: most + len(unmarked[channel]) for channel, most in IN_FLIGHT.items()}
        running.check(doubles=sum(again.values()))
        assert sum(map(len, unmarked.values())) <= sum(IN_FLIGHT.values()) + MOST_UNSETTLED
        for channel, received in running.received().items():
            doubled = {one for one, times in received.items() if times > 1}
            assert unmarked[channel] <= doubled
            assert len(doubled) <= again[channel]


async def _killed_unmarked(running: Product, sender: WorkerProcess) -> dict[str, set[str]]:
    """Kill it while the ledger takes no marks; what has been accepted since it takes none."""
    ledger = await asyncpg.connect(running.wiring.settings.postgres.dsn.reveal())
    async with ledger.transaction():
        await ledger.execute("lock table open_deliveries in exclusive mode")
        before = running.received()
        while not all((running.received()[channel] - before[channel]).total() for channel in before):
            await asyncio.sleep(0.01)
        unmarked = {channel: set(found - before[channel]) for channel, found in running.received().items()}
        sender.send(signal.SIGKILL)
        while psutil.pid_exists(sender.pid) and psutil.Process(sender.pid).status() != psutil.STATUS_ZOMBIE:
            await asyncio.sleep(0.01)
        await ledger.execute(  # else what it has asked goes on without it
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )
    await ledger.close()
    return unmarked


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
            running.check(doubles=sum(IN_FLIGHT.values()))
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
