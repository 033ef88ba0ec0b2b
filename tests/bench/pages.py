"""Pages of the console on a million deliveries, each beside the same page of a project that has none."""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import msgspec

from agents.broker.topics import Provision
from agents.clock import utc_now
from agents.roles.sender.ledger_rows import kept_record
from agents.wiring import Wiring
from deploy.secret import Secret
from deploy.settings.servers import Postgres
from deploy.settings.settings import Settings
from deploy.settings.web import Web
from store.migrate import migrate
from store.read_models.recorded import Recorded
from store.sending.ledger import Ledger, Settlement
from tests.factory import delivery
from tests.integration.test_recorder import KEEP, decision, put, status
from tests.integration.test_store import LEASE, new
from tests.integration.test_web import Browser, Site, running
from tests.integration.test_web_projects import apply, signed_in

DELIVERIES = int(os.environ.get("DELIVERIES", "1000000"))
DAYS = 7
DISTRIBUTIONS = 50
CUSTOMERS = 100_000
_ASKED = 40
_MOST_MS = 100
_CHUNK = 2_000
_DATABASE = "bench_pages"
_OF_PROJECT = (
    "distributions", "messages", "messages?outcome=failed", "messages?distribution=rule7",
    "messages?distribution=rule7&outcome=skipped", "customers", "customers?id=c77", "sends", "segments", "campaigns",
    "templates", "suppressions", "notices", "destinations", "dead-letters", "topics", "workers", "accounts", "users",
    "keys", "audit", "settings",
)  # fmt: skip
_OF_THINGS = ("distributions/rule7", "distributions/rule7?since=24h", "messages/d7", "distributions/rule7/edit")
"""Pages of what the empty project has not; they are held against the page of its distributions."""

Report = dict[str, Any]


async def measure(settings: Settings, say: Callable[[str], None]) -> Report:
    """Milliseconds of each page over HTTP, one after the other, as a browser without scripts gets it."""
    dsn = settings.postgres.dsn.reveal()
    admin = await asyncpg.connect(dsn)
    await admin.execute(f"drop database if exists {_DATABASE} with (force)")
    await admin.execute(f"create database {_DATABASE}")
    await admin.close()
    own = f"{dsn.rsplit('/', 1)[0]}/{_DATABASE}"
    mine = replace(settings, project_id="shop", postgres=Postgres(dsn=Secret(own)))
    await asyncio.to_thread(Provision(Wiring(mine)).apply)
    async with running(mine, own, Web()) as site:
        await migrate(site.pool, "shop")
        began = time.perf_counter()
        await _fill(site)
        say(f"  filled in {time.perf_counter() - began:.0f} s")
        full, empty = await signed_in(site, "admin"), await signed_in(site, "admin", "outlet")
        bare = {path: await _times(empty, f"/p/outlet/{path}") for path in _OF_PROJECT}
        found: Report = {"deliveries": DELIVERIES}
        for path in (*_OF_PROJECT, *_OF_THINGS):
            p50, p99 = await _times(full, f"/p/shop/{path}")
            base = bare.get(path, bare["distributions"])[0]
            found[path] = {"p50": p50, "p99": p99, "ratio": round(p50 / base, 2)}
            late = "" if p99 <= _MOST_MS else f"  MORE than {_MOST_MS} ms"
            say(f"  {path:<45} p50 {p50:6.1f} ms, p99 {p99:6.1f} ms, {p50 / base:5.2f} of an empty project{late}")
    return found


async def _times(mine: Browser, path: str) -> tuple[float, float]:
    """The middle and the 99th of a hundred, in milliseconds; the first ones warm it up."""
    times = []
    for number in range(_ASKED + 3):
        began = time.perf_counter()
        page = await mine.ask("GET", path)
        if page.status != 200:
            raise SystemExit(f"{path} answers {page.status}")
        if number >= 3:
            times.append((time.perf_counter() - began) * 1000)
    times.sort()
    return times[len(times) // 2], times[math.ceil(len(times) * 0.99) - 1]


async def _fill(site: Site) -> None:
    """Distributions, and for each delivery its decision, its row in the ledger, and what became of it."""
    await apply(site, *(f"rule{number}" for number in range(DISTRIBUTIONS)))
    await site.pool.execute("vacuum analyze")
    now, ledger, recorded = utc_now(), Ledger(site.pool), Recorded(site.pool, KEEP)
    record = kept_record(delivery("webhook"))
    for start in range(0, DELIVERIES, _CHUNK):
        numbers = range(start, min(start + _CHUNK, DELIVERIES))
        await _chunk(ledger, recorded, numbers, now - timedelta(days=DAYS * (1 - start / DELIVERIES)), record)
    await site.pool.execute("vacuum analyze")


async def _chunk(ledger: Ledger, recorded: Recorded, numbers: Sequence[int], at: datetime, record: bytes) -> None:
    """One in fifty fails, and of five decisions one is a skip."""
    rows = [
        new(
            number, f"{number % 3}.example.com", distribution_id=f"rule{number % DISTRIBUTIONS}",
            event_id=f"ev{number}", customer_id=_customer(number), record=record, happened_at=at,
        )
        for number in numbers
    ]  # fmt: skip
    await ledger.claim_new(rows, owner="bench", lease=LEASE)
    ended = time.monotonic()
    ends = [
        Settlement(f"d{number}", "failed", "HTTP 501", ended=ended)
        if number % 50 == 0
        else Settlement(f"d{number}", "sent", "HTTP 200", ended=ended)
        for number in numbers
    ]
    settled = await ledger.settle(ends, owner="bench")
    await ledger.mark_announced([(one.delivery_id, one.settled_at) for one in settled if one.settled_at])
    told = [_decided(number, at) for number in numbers]
    became = [
        status(number, at, **_of(number, at), outcome="failed" if number % 50 == 0 else "sent") for number in numbers
    ]
    await put(recorded, told, start=numbers[0])
    await put(recorded, became, start=numbers[0])


def _decided(number: int, at: datetime) -> Any:
    if number % 5 == 0:
        return decision(number, at, **_of(number, at))
    sent = {"outcome": "emitted", "reason": None, "detail": None, "delivery_id": f"d{number}", "channel": "webhook"}
    return decision(number, at, **_of(number, at), **sent)


def _of(number: int, at: datetime) -> dict[str, Any]:
    base = decision(number, at)
    named = msgspec.structs.replace(base.distribution, id=f"rule{number % DISTRIBUTIONS}")
    return {"customer_id": _customer(number), "distribution": named}


def _customer(number: int) -> str:
    return f"c{number * 7919 % CUSTOMERS}"
