"""Matchers that are killed, moved, starved and refused: nothing lost, no new ids, order kept, tables right."""

from __future__ import annotations

import asyncio
import os
import random
import re
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from agents.tables.rocks import Memory, RocksPartition
from agents.wiring import Wiring
from deploy.embedded.servers import Servers
from deploy.secret import Secret
from deploy.settings.servers import Kafka, Postgres, Topics
from deploy.settings.settings import Settings
from tests.e2e.harness import PATIENCE, kill
from tests.faults.harness import FULL, matchers

pytestmark = pytest.mark.timeout(1800 if FULL else 600)

RATE = 1500


def size(short: int, full: int) -> int:
    """The amount of it, here and in `make faults`."""
    return full if FULL else short


@pytest.mark.parametrize("seed", [11, 12, 13, 14] if FULL else [11])
async def test_killed_at_random_points(settings: Settings, wiring: Wiring, tmp_path: Path, seed: int) -> None:
    rng, events, kills = random.Random(seed), size(6000, 30_000), size(3, 5)
    points = sorted(rng.sample(range(500, events - 500, 100), kills))
    async with matchers(wiring.settings, tmp_path, processes=3) as load:

        def maybe_kill(number: int) -> None:
            if number in points:
                kill(rng.choice(load.running.workers.workers))

        await load.feed(events, RATE, rng, maybe_kill)
        await load.check()
        assert sum(one.starts for one in load.running.workers.workers) == 3 + kills


async def test_one_becomes_three_becomes_two_becomes_one(wiring: Wiring, tmp_path: Path) -> None:
    rng, events = random.Random(21), size(6000, 24_000)
    async with matchers(wiring.settings, tmp_path, processes=3) as load:
        everyone = load.running.workers
        first, second, third = everyone.workers
        steps = {
            events // 6: [(second, False), (third, False)],
            events // 3: [(second, True), (third, True)],
            events // 2: [(third, False)],
            events * 2 // 3: [(first, False)],
        }

        def step(number: int) -> None:
            for worker, runs in steps.get(number, []):
                if runs:
                    worker.start()
                    everyone.workers.append(worker)
                else:
                    everyone.workers.remove(worker)
                    worker.send(signal.SIGTERM)

        try:
            await load.feed(events, RATE, rng, step)
            await load.check()
        finally:
            everyone.workers[:] = [first, second, third]


@pytest.fixture
def own(tmp_path: Path) -> Any:
    """Servers that the test may break."""
    servers = Servers(tmp_path / "servers", os.environ)
    yield servers
    servers.stop()


async def test_the_broker_is_killed_and_away(own: Servers, tmp_path: Path) -> None:
    endpoints = await asyncio.to_thread(own.start)
    settings = Settings(
        kafka=Kafka(bootstrap=endpoints.kafka),
        postgres=Postgres(dsn=Secret(endpoints.postgres)),
        topics=Topics(prefix="f.", partitions=4),
    )
    rng = random.Random(31)
    async with matchers(settings, tmp_path) as load:
        await load.feed(2000, RATE, rng, _nothing)
        await asyncio.to_thread(own.kafka.kill)
        await asyncio.sleep(size(3, 60))  # so long it is away
        await asyncio.to_thread(own.kafka.start)
        await load.feed(2000, RATE, rng, _nothing)
        await load.check()


@pytest.mark.parametrize("topic", ["dead-letters", "deliveries.webhook"])
async def test_a_topic_that_refuses_keeps_the_offset(wiring: Wiring, tmp_path: Path, topic: str) -> None:
    """The worker ends with an alarm, again and again, until the topic takes records; then nothing is missing."""
    rng = random.Random(41)
    async with matchers(wiring.settings, tmp_path, processes=1) as load:
        (worker,) = load.running.workers.workers
        _limit(wiring, topic, "10")
        if topic == "dead-letters":
            await load.running.publish_raw("events.orders", b"c1", b"{no json")
        await load.feed(300, RATE, rng, _nothing)
        log = tmp_path / "matcher-0.log"
        await load.running.until(lambda: "worker_crashed" in log.read_text(), "the refusal ends the worker")
        assert "too large" in log.read_text()
        _limit(wiring, topic, "1000000")
        await load.check()
        assert worker.starts > 1
        assert len(load.running.dead_letters()) == (topic == "dead-letters")


async def test_one_percent_of_poison_disturbs_nothing(wiring: Wiring, tmp_path: Path) -> None:
    rng, events = random.Random(51), size(3000, 20_000)
    poison = [b"", b"{", b"\xc3\x01broken", b'{"id":1}', b"[" * 5000, b"\x00\x00\x00\x00\x01x", b'{"id":"\xff"}']
    async with matchers(wiring.settings, tmp_path) as load:
        spoilt = []

        def spoil(_: int) -> None:
            spoilt.append(asyncio.ensure_future(
                load.running.publish_raw("events.orders", b"c1", rng.choice(poison))
            ))  # fmt: skip

        await load.feed(events, RATE, rng, spoil)
        await asyncio.gather(*spoilt)
        await load.check()
        assert len(
            {facts["offset"] + facts["partition"] * 10**9 for _, _, facts in load.running.dead_letters()}
        ) == len(spoilt)
        assert all(one.starts == 1 for one in load.running.workers.workers)


async def test_a_replay_makes_no_new_ids(wiring: Wiring, tmp_path: Path) -> None:
    rng, events = random.Random(61), size(2000, 1_000_000)
    async with matchers(wiring.settings, tmp_path, processes=1) as load:
        await load.feed(events, 10 * RATE, rng, _nothing)
        before = await load.check()
        everyone = load.running.workers
        await asyncio.to_thread(everyone.stop)
        await asyncio.to_thread(_rewind, wiring)
        everyone.start()
        after = await load.check()
        assert after["deliveries"] == before["deliveries"]
        assert after["repeated"] > 0


async def test_tables_that_are_lost_or_damaged_are_read_again_from_kafka(wiring: Wiring, tmp_path: Path) -> None:
    rng = random.Random(71)
    async with matchers(wiring.settings, tmp_path, processes=1) as load:
        await load.feed(1000, RATE, rng, _nothing)
        await load.check()
        everyone = load.running.workers
        await asyncio.to_thread(everyone.stop)
        for number, current in enumerate(sorted((tmp_path / "data").rglob("CURRENT"))):
            if number % 3 == 0:
                current.write_text("MANIFEST-nonsense\n")
            elif number % 3 == 1:
                current.unlink()
            else:  # as if it belonged to another cluster
                rows = RocksPartition(current.parent, Memory(8))
                rows.put(b"c1", b'{"id": "c1", "consents": {"marketing": false}}')
                rows.persist(10**9)
                rows.close()
        everyone.start()
        await load.feed(1000, RATE, rng, _nothing)
        await load.check()
        log = (tmp_path / "matcher-0.log").read_text()
        assert {"table_damaged", "table_ahead_of_changelog"} <= set(re.findall(r"table_\w+", log))


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs Linux to limit another process")
async def test_a_full_disk_is_waited_for_and_loses_nothing(wiring: Wiring, tmp_path: Path) -> None:
    """The write-ahead log cannot grow: as on a full disk, RocksDB refuses; opened anew, it has a log with room."""
    rng = random.Random(81)
    async with matchers(wiring.settings, tmp_path, processes=1) as load:
        (worker,) = load.running.workers.workers
        largest = await asyncio.to_thread(_largest_file, tmp_path)
        opened = await asyncio.to_thread(_openings, tmp_path)
        if sys.platform == "linux":
            resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (largest + 20_000, largest + 20_000))
        await load.feed(3000, RATE, rng, _nothing)
        await load.check()
        assert await asyncio.to_thread(_openings, tmp_path) > opened  # its own log has no room either
        assert worker.starts == 1


CLOCK = """\
import os, time
from datetime import timedelta
import agents.clock

def offset():
    with open(os.environ["CLOCK_OFFSET"]) as file:
        return float(file.read() or 0)

right, moment = time.time, agents.clock.utc_now
time.time = lambda: right() + offset()
agents.clock.utc_now = lambda: moment() + timedelta(seconds=offset())
"""
"""Python runs it at its start, as `sitecustomize`: the wall clock of the process is off by what a file says."""


async def test_a_clock_that_jumps_loses_nothing(wiring: Wiring, tmp_path: Path) -> None:
    """A process takes the latest time that it has seen for now, so each sees the latest before the clocks go back."""
    rng, offset = random.Random(85), tmp_path / "offset"
    offset.write_text("86400")
    (tmp_path / "sitecustomize.py").write_text(CLOCK)
    environ = {"PYTHONPATH": str(tmp_path), "CLOCK_OFFSET": str(offset)}
    async with matchers(wiring.settings, tmp_path, environ=environ) as load:
        logs, deadline = [tmp_path / f"matcher-{number}.log" for number in range(2)], time.monotonic() + PATIENCE
        while not all(map(_has_read_events, logs)):
            assert time.monotonic() < deadline, "not every process has read events"
            await load.feed(100, RATE, rng, _nothing)
        jumps = iter([7200, -7200, 30, 86_400, -86_400, 0] * size(1, 5))

        def jump(number: int) -> None:
            if number % 500 == 0:
                later = tmp_path / "later"
                later.write_text(str(next(jumps, 0)))
                later.rename(offset)

        await load.feed(size(3500, 17_500), RATE, rng, jump)
        await load.check()
        assert not load.running.dead_letters()


def _has_read_events(log: Path) -> bool:
    """True where a process says of both topics of events that it has had a batch of them."""
    return {"orders", "segments"} <= set(re.findall(r"events\.(orders|segments)\"", log.read_text()))


def _largest_file(folder: Path) -> int:
    return max(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _openings(folder: Path) -> int:
    """The number of times that RocksDB was opened again: it puts the log of each opening aside."""
    return sum(1 for _ in folder.rglob("LOG.old.*"))


def _nothing(_: int) -> None:
    """No fault meanwhile."""


def _limit(wiring: Wiring, topic: str, size_: str) -> None:
    admin = AdminClient(wiring.settings.kafka.client())
    entry = ConfigEntry("max.message.bytes", size_, incremental_operation=AlterConfigOpType.SET)
    resource_ = ConfigResource(ResourceType.TOPIC, wiring.topic(topic), incremental_configs=[entry])
    for future in admin.incremental_alter_configs([resource_]).values():
        future.result(10)
    asked, deadline = ConfigResource(ResourceType.TOPIC, wiring.topic(topic)), time.monotonic() + PATIENCE
    while admin.describe_configs([asked])[asked].result(10)["max.message.bytes"].value != size_:
        assert time.monotonic() < deadline, "the controller has it, and the broker does not get it"
        time.sleep(0.05)


def _rewind(wiring: Wiring) -> None:
    from tests.bench.topics import rewind

    for topic in ("events.orders", "events.segments"):
        rewind(wiring, topic)
