"""Partitions that move: to a standby, while tables recover, back to a worker that was killed."""

from __future__ import annotations

import asyncio
import random
import re
import shutil
import signal
import sys
import time
import urllib.request
from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from agents.broker.reader import TopicReader
from agents.wiring import Wiring
from console.cli.supervisor import WorkerProcess
from schemas.events.triggers import EVENT_TOPICS
from schemas.topics import CHANGELOGS, CUSTOMERS, DUE, MEMBERSHIPS
from tests.faults.harness import FULL, Load, matchers

pytestmark = pytest.mark.timeout(900 if FULL else 600)

RATE = 1500


async def test_a_standby_takes_over(wiring: Wiring, tmp_path: Path) -> None:
    """One worker is gone for good; the other one has its rows already."""
    settings = replace(wiring.settings, matcher=replace(wiring.settings.matcher, standby_replicas=1))
    rng = random.Random(91)
    async with matchers(settings, tmp_path) as load:
        first, second = load.running.workers.workers
        await load.feed(3000 if not FULL else 20_000, RATE, rng, lambda _: None)
        await load.running.until(lambda: _have_settled(wiring, first, second), "both have partitions")
        await load.check()
        rows = {file.parent.name for file in (tmp_path / "data").rglob(f"*{second.instance}*/**/CURRENT")}
        wanted = len(CHANGELOGS) * settings.topics.partitions
        assert len(rows) == wanted, "every partition of all tables, active or standby"
        load.running.workers.workers.remove(first)
        first.send(signal.SIGKILL)
        try:
            await load.feed(1000, RATE, rng, lambda _: None)
            await load.check()
        finally:
            load.running.workers.workers.append(first)
        assert second.starts == 1


async def test_workers_come_and_go_while_tables_recover(wiring: Wiring, tmp_path: Path) -> None:
    rng = random.Random(92)
    async with matchers(wiring.settings, tmp_path, processes=3) as load:
        await load.feed(3000 if not FULL else 30_000, RATE, rng, lambda _: None)
        everyone = load.running.workers
        workers = list(everyone.workers)
        for _ in range(1 if not FULL else 5):
            await load.check()
            await asyncio.to_thread(everyone.stop)
            shutil.rmtree(tmp_path / "data")
            everyone.workers.clear()
            await _come_and_go(load, workers, rng)
        await load.check()


async def _come_and_go(load: Load, workers: list[WorkerProcess], rng: random.Random) -> None:
    """Start one after the other while the ones before recover, and kill one of them."""
    everyone = load.running.workers

    def step(number: int) -> None:
        if number in (100, 300, 500):
            worker = workers[number // 200]
            worker.start()
            everyone.workers.append(worker)
        if number in (700, 900):
            rng.choice(workers).send(signal.SIGKILL)

    await load.feed(1500, 150, rng, step)


async def test_a_killed_worker_comes_back_and_nobody_else_notices(wiring: Wiring, tmp_path: Path) -> None:
    """As long as it is back within the session, however busy the machine is: hence a long one."""
    settings = replace(wiring.settings, kafka=replace(wiring.settings.kafka, session_timeout=timedelta(seconds=35)))
    rng = random.Random(93)
    async with matchers(settings, tmp_path) as load:
        killed, other = load.running.workers.workers
        await load.running.until(lambda: _have_settled(wiring, killed, other), "both have partitions")
        before = _metric(other, "tidings_rebalances")
        at: list[float] = []

        def kill(number: int) -> None:
            if number == 3000:
                at.append(time.time())
                killed.send(signal.SIGKILL)

        await load.feed(9000, 600, rng, kill)
        await load.check()
        assert killed.starts == 2
        assert _metric(other, "tidings_rebalances") == before, "the other one went through a rebalance"
        sys.stdout.write(f"longest time without a decision by partition, in s: {_silences(wiring, since=at[0])}\n")


def _silences(wiring: Wiring, since: float) -> dict[int, float]:
    """In seconds, from the kill on."""
    last: defaultdict[int, float] = defaultdict(lambda: since)
    longest: defaultdict[int, float] = defaultdict(float)
    with TopicReader(wiring, "decisions") as reader:
        for message in reader.until_now():
            partition, moment = message.partition() or 0, message.timestamp()[1] / 1000
            if moment > since:
                longest[partition] = round(max(longest[partition], moment - last[partition]), 2)
                last[partition] = moment
    return dict(sorted(longest.items()))


def _have_settled(wiring: Wiring, *workers: WorkerProcess) -> bool:
    """Each has some and no partition is told twice: who was there first tells of all until it looks again."""
    assigned = [_metric(worker, "tidings_partitions_assigned") for worker in workers]
    topics = len([CUSTOMERS, DUE, MEMBERSHIPS, *EVENT_TOPICS])
    return min(assigned) > 0 and sum(assigned) == wiring.settings.topics.partitions * topics


def _metric(worker: WorkerProcess, name: str) -> float:
    """Summed over its labels; 0 while the worker does not answer."""
    assert worker.status_file is not None
    try:
        with urllib.request.urlopen(worker.status_file.read_text() + "/metrics", timeout=30) as answer:
            text = answer.read().decode()
    except OSError:
        return 0.0
    return sum(float(value) for value in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE))
