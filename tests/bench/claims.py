"""Claims of what is due, beside a million that wait for a dead destination and beside ten thousand destinations."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from schemas.destination import Destination
from store.migrate import migrate
from store.postgres import connect
from store.sending.ledger import Ledger, NewDelivery

WAITING = int(os.environ.get("WAITING", "1000000"))
DESTINATIONS = 10_000
LIVE = 100
ROUNDS = 30
LEASE = timedelta(seconds=60)
DEAD = Destination("shop", "webhook", "dead.example.com")
_FILL = """
insert into open_deliveries
select made.*
from generate_series(1, $5::int) n, open_deliveries d,
    jsonb_populate_record(d, jsonb_build_object('delivery_id', $1 || n, 'lane', $2::text, 'due_at',
        now() - interval '1 hour' + n * interval '1 ms',
        'destination', case when $4::int = 1 then $3 else $3 || n % $4 end)) made
where d.delivery_id = 'first'
"""

_DATABASE = "bench_claims"

Report = dict[str, Any]


async def measure(dsn: str, say: Callable[[str], None]) -> Report:
    """Milliseconds of a claim with little waiting, with much, and with much to many; in a database of its own."""
    pool = await connect(await _own_database(dsn))
    await migrate(pool, "shop")
    found: Report = {}

    async def note(name: str, **options: Any) -> None:
        found[name] = await _claims(pool, **options)
        ratio = found[name]["ms"] / found[next(iter(found))]["ms"]
        say(f"  {name:<52} {found[name]['ms']:>6.1f} ms a claim, worst {found[name]['worst_ms']:.1f}: {ratio:.2f}")

    await Ledger(pool).claim_new([_first()], owner="other", lease=LEASE)
    await _fill(pool, "live", "alive.example.com", 1, LIVE)
    await note(f"{LIVE} live")
    await _fill(pool, "retry", DEAD.name, 1, WAITING)
    await note(f"{LIVE} live, {WAITING:,} for a dead one that takes none", capacity={DEAD: 0})
    await note(f"{LIVE} live, {WAITING:,} for a dead one that takes some")
    await pool.execute("delete from open_deliveries where destination = $1", DEAD.name, timeout=600)
    await pool.execute("vacuum full open_deliveries", timeout=600)
    await _fill(pool, "retry", "host-", DESTINATIONS, 5 * DESTINATIONS)
    await note(f"{LIVE} live, {DESTINATIONS:,} destinations waiting")
    await pool.close()
    return found


async def _own_database(dsn: str) -> str:
    pool = await connect(dsn, size=1)
    await pool.execute(f"drop database if exists {_DATABASE}")
    await pool.execute(f"create database {_DATABASE}")
    await pool.close()
    return urlsplit(dsn)._replace(path=f"/{_DATABASE}").geturl()


async def _fill(pool: asyncpg.Pool, lane: str, name: str, destinations: int, count: int) -> None:
    await pool.execute(_FILL, f"{lane}-{name}-", lane, name, destinations, count, timeout=600)
    await pool.execute("vacuum analyze open_deliveries", timeout=600)


async def _claims(pool: asyncpg.Pool, **options: Any) -> Report:
    ledger, took = Ledger(pool), []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        await ledger.claim_due(owner="s", lease=LEASE, limit=500, a_destination=128, **options)
        took.append((time.perf_counter() - began) * 1000)
        await ledger.release_leases("s")
    return {"ms": statistics.median(took), "worst_ms": max(took)}


def _first() -> NewDelivery:
    now = datetime.now(UTC)
    return NewDelivery(
        "first",
        "shop",
        "x",
        1,
        "e",
        "c",
        "webhook",
        "alive.example.com",
        0,
        None,
        b"r" * 300,
        now,
        now,
        None,
        None,
        LEASE,
    )
