"""Hours of load on everything: nothing lost, nothing doubled, and memory that does not grow."""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path
from statistics import median

import psutil
import pytest

from agents.wiring import Wiring
from tests.e2e.harness import Product, product, thanks

MINUTES = float(os.environ.get("SOAK_MINUTES", "0"))
RATE = int(os.environ.get("SOAK_RATE", "200"))
ALLOWED_GROWTH = 1.1
SMALL_TABLES = {"TIDINGS_MATCHER_TABLE_MEMORY_MB": "16"}
"""RocksDB fills what it is given, and at this rate that would take it most of an hour."""

pytestmark = [
    pytest.mark.skipif(not MINUTES, reason="`make soak` runs it, for an hour"),
    pytest.mark.timeout(MINUTES * 60 * 2 + 600),
]


async def test_memory_is_flat_and_nothing_is_lost(wiring: Wiring, tmp_path: Path) -> None:
    """After the first third, a process's memory in the last third is what it was in the second."""
    async with product(wiring.settings, tmp_path, environ=SMALL_TABLES) as running:
        await running.apply(thanks(running.receiver.url))
        await running.load_customers(1000)
        seen: dict[str, list[float]] = {worker.instance: [] for worker in running.workers.workers}
        began = time.monotonic()
        while time.monotonic() < began + MINUTES * 60:
            await running.feed(RATE * 10, RATE, random.randrange(2**32))
            _note(running, seen)
        await running.until_delivered()
        running.check()
        assert all(worker.starts == 1 for worker in running.workers.workers)
    for instance, megabytes in seen.items():
        third = len(megabytes) // 3
        before, after = median(megabytes[third : 2 * third]), median(megabytes[2 * third :])
        sys.stdout.write(f"{instance}: {before:.0f} MB in the second third, {after:.0f} MB in the last\n")
        assert after < before * ALLOWED_GROWTH, f"{instance} grew: {[round(one) for one in megabytes]}"


def _note(running: Product, seen: dict[str, list[float]]) -> None:
    for worker in running.workers.workers:
        seen[worker.instance].append(psutil.Process(worker.pid).memory_info().rss / 2**20)
    line = ", ".join(f"{instance} {megabytes[-1]:.0f} MB" for instance, megabytes in seen.items())
    sys.stdout.write(f"{len(running.published)} events: {line}\n")
    sys.stdout.flush()
