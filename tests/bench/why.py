"""Stories of customers on millions of recorded decisions, beside a look-up of one row by its primary key."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from agents.broker.topics import Provision
from agents.wiring import Wiring
from console.control.explain import Asking, story
from deploy.secret import Secret
from deploy.settings.servers import Postgres
from deploy.settings.settings import Settings
from schemas.topics import DECISIONS
from store.migrate import migrate
from store.postgres import connect
from store.read_models.search import Asked, RecordedSearch

ROWS = int(os.environ.get("RECORDED", "5000000"))
DAYS = 30
CUSTOMERS = 1_000_000
ASKED = 300
_DATABASE = "bench_why"
_MOST_MS = 100

Report = dict[str, Any]

_FILL = """
insert into recorded_decisions (day, project_id, decision_id, distribution_id, distribution_version, distribution_name,
       event_id, event_type, event_at, send_id, customer_id, outcome, reason, detail, arm, channel, delivery_id,
       until_at, due_at, checks, decided_at, recorded_at)
select $1::date, 'shop', 'dec_' || md5($1::text || n), 'rule' || n % 50, 1, 'Rule', 'ev' || md5(n || $1::text), 't',
       $1::date + make_interval(secs => n::float8 / $2 * 86400), null, 'c' || (n * 7919::bigint) % $3, 'skipped',
       'consent', 'customer.consents.marketing is false', null, 'email', null, null, null,
       '[{"test":"order.amount at_least 1000","passed":true,"seen":"1500"}]', $1::date, now()
from generate_series(1, $2::bigint) as n
"""
_ONE_ROW = "select * from recorded_decisions where day = $1 and project_id = 'shop' and decision_id = $2"


async def measure(settings: Settings, say: Callable[[str], None]) -> Report:
    """Milliseconds by what is asked; each on a connection of its own, as each command has one, and on one for all."""
    dsn = settings.postgres.dsn.reveal()
    admin = await asyncpg.connect(dsn)
    await admin.execute(f"drop database if exists {_DATABASE} with (force)")
    await admin.execute(f"create database {_DATABASE}")
    await admin.close()
    own = f"{dsn.rsplit('/', 1)[0]}/{_DATABASE}"
    wiring = Wiring(replace(settings, project_id="shop", postgres=Postgres(dsn=Secret(own))))
    await asyncio.to_thread(Provision(wiring).apply)
    pool = await connect(own, size=2)
    await migrate(pool, "shop")
    now = datetime.now(UTC)
    await _fill(pool, wiring, now)
    rng = random.Random(1)

    async def of_customer(pool: asyncpg.Pool) -> None:
        who = f"c{rng.randrange(CUSTOMERS)}"
        await RecordedSearch(pool).decisions(Asked("shop", customer_id=who), 201, now)

    async def of_distribution(pool: asyncpg.Pool) -> None:
        await RecordedSearch(pool).decisions(Asked("shop", distribution_id=f"rule{rng.randrange(50)}"), 201, now)

    async def of_event(pool: asyncpg.Pool) -> None:
        await RecordedSearch(pool).decisions(Asked("shop", event_id=f"ev{rng.random()}"), 201, now)

    async def whole(pool: asyncpg.Pool) -> None:
        await story(pool, wiring, "shop", Asking(who=f"c{rng.randrange(CUSTOMERS)}"), now)

    async def one_row(pool: asyncpg.Pool) -> None:
        day = (now - timedelta(days=rng.randrange(DAYS))).date()
        await pool.fetchrow(_ONE_ROW, day, f"dec_{rng.random()}")

    found: Report = {"rows": ROWS, "days": DAYS}
    asked = {"one row": one_row, "customer": of_customer, "event": of_event, "distribution": of_distribution}
    for name, ask in {**asked, "the whole story": whole}.items():
        found[name] = await _times(own, pool, ask, few=ask is whole)
    bare = found["one row"]
    for name in (*asked, "the whole story"):
        at = found[name]
        at["ratio"] = round(at["p99"] / bare["p99"], 1)
        say(f"  {name:<16} p50 {at['p50']:.1f} ms, p99 {at['p99']:.1f} ms on a new connection"
            f" ({at['ratio']} of one row); p99 {at['p99 on one']:.1f} ms on one for all")  # fmt: skip
    say(f"  customer p99 at most {_MOST_MS} ms: {'yes' if found['customer']['p99'] <= _MOST_MS else 'NO'}")
    await pool.close()
    return found


async def _fill(pool: asyncpg.Pool, wiring: Wiring, now: datetime) -> None:
    days = [(now - timedelta(days=ago)).date() for ago in range(DAYS)]
    for day in days:
        await pool.execute("select make_recorded_days('recorded_decisions', $1)", [day])
        await pool.execute("select make_recorded_days('recorded_statuses', $1)", [day])
        await pool.execute(_FILL, day, ROWS // DAYS, CUSTOMERS, timeout=600)
    await pool.execute("insert into recorded_positions (topic, partition) values ($1, 0)", wiring.topic(DECISIONS))
    await pool.execute("vacuum analyze recorded_decisions", timeout=600)


async def _times(
    dsn: str, pool: asyncpg.Pool, ask: Callable[[asyncpg.Pool], Awaitable[None]], *, few: bool
) -> dict[str, float]:
    times: dict[bool, list[float]] = {True: [], False: []}
    for is_new in (True, False):
        for _ in range(30 if few else ASKED):
            used = await connect(dsn, size=1) if is_new else pool
            async with used.acquire():
                pass
            began = time.perf_counter()
            await ask(used)
            times[is_new].append((time.perf_counter() - began) * 1000)
            if is_new:
                await used.close()
    new, same = sorted(times[True]), sorted(times[False])
    return {"p50": new[len(new) // 2], "p99": new[int(len(new) * 0.99)], "p99 on one": same[int(len(same) * 0.99)]}
