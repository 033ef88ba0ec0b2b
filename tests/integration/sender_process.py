"""Senders as processes of their own, on one ledger: to be frozen and killed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from subprocess import PIPE, Popen

import asyncpg

from agents.clock import utc_now
from agents.roles.sender.ledger_rows import row_of
from agents.roles.sender.work import Work
from deploy.secret import Secret
from deploy.settings.servers import Postgres
from deploy.settings.settings import Settings
from store.postgres import connect
from store.sending.ledger import Ledger
from tests.integration.test_providers import running, webhooks

Process = Popen[bytes]


async def fill(pool: asyncpg.Pool, url: str, count: int) -> None:
    """Deliveries in the ledger that are due, and nobody's."""
    ledger, works = Ledger(pool), [Work(one, 0, utc_now()) for one in webhooks(count, url)]
    for start in range(0, count, 1000):
        rows = [row_of(work, timedelta()) for work in works[start : start + 1000]]
        await ledger.claim_new(rows, owner="fill", lease=timedelta(minutes=5))
    await ledger.release_leases("fill")


@contextmanager
def sender_processes(dsn: str, count: int, *, rate: str = "", concurrency: int = 50) -> Iterator[list[Process]]:
    """Processes `s0`, `s1` and so on that send until they hear no more from us."""
    command = [sys.executable, "-m", __name__, dsn]
    started = [
        Popen([*command, f"s{number}", rate, str(concurrency)], stdin=PIPE, stdout=sys.stderr)
        for number in range(count)
    ]
    try:
        yield started
    finally:
        for one in started:
            if one.poll() is None:
                one.communicate(timeout=60)


async def _send(dsn: str, owner: str, rate: str, concurrency: str) -> None:
    pool = await connect(dsn)
    settings = replace(Settings(), project_id="shop", postgres=Postgres(dsn=Secret(dsn)))
    settings = replace(settings, sender=replace(settings.sender, concurrency=int(concurrency)))
    async with running(settings, pool, retry=timedelta(minutes=1), rate=rate, owner=owner):
        await asyncio.to_thread(sys.stdin.read)
    pool.terminate()


if __name__ == "__main__":
    asyncio.run(_send(*sys.argv[1:]))
