"""A million codes and a million customers, handed in over HTTP to a process of `tidings api` that is killed on the way.

It is killed with some of the rows in, and started again; the next one goes on a minute later, when the lease has ended.
Rates are of the work alone, without that minute.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg

from agents.broker.reader import TopicReader
from agents.broker.topics import Provision
from agents.wiring import Wiring
from console.cli.context import database
from schemas.campaign import Campaign
from store.campaigns import CampaignChange, Campaigns
from tests.bench.codes import NOW
from tests.e2e.api_process import ApiProcess, api_process
from tests.environment import environment_of

ROWS = int(os.environ.get("IMPORTED", "1000000"))
MOST_BYTES = 1 << 28

Report = dict[str, Any]


async def measure(wiring: Wiring, folder: Path, say: Callable[[str], None]) -> Report:
    """Rows a second, the peak of memory, and that each row is in once."""
    Provision(wiring).apply()
    environ = environment_of(wiring) | {"TIDINGS_API_IMPORT_MAX_BYTES": str(MOST_BYTES)}
    found: Report = {"rows": ROWS}
    async with database(wiring) as pool:
        await _campaign(pool, wiring.default_project)
        for name, path, line in (
            ("codes", "/campaigns/million/imports", _code), ("customers", "/customers/imports", _customer),
        ):  # fmt: skip
            async with api_process(pool, wiring, environ, folder / name) as api:
                found[name] = await _run(api, pool, path, b"".join(_lines(line)))
                found[name]["peak_mb"] = round(api.peak / 1e6)
            found[name]["in"] = await _count(pool, wiring, name)
            say(f"  {name}: " + ", ".join(f"{key} {value:,}" for key, value in found[name].items()))
            if found[name]["in"] != ROWS:
                raise SystemExit(f"{found[name]['in']} of {ROWS} {name} are in")
    return found


async def _run(api: ApiProcess, pool: asyncpg.Pool, path: str, content: bytes) -> Report:
    identity: str = (await api.ask("POST", path, content))["import"]["id"]
    began = time.perf_counter()
    while (await _row(pool, identity))["rows_read"] < ROWS // 2:
        await asyncio.sleep(0.02)
    await api.kill()
    took, left = time.perf_counter() - began, await _row(pool, identity)
    if left["ended_at"] is not None:
        raise SystemExit("it was done before the kill")
    await api.start()
    while (await _row(pool, identity))["lease_owner"] == left["lease_owner"]:
        await asyncio.sleep(0.02)
    began = time.perf_counter()
    while (now := await _row(pool, identity))["ended_at"] is None:
        await asyncio.sleep(0.02)
    again = time.perf_counter() - began
    if (now["state"], now["rows_read"], now["added"]) != ("done", ROWS, ROWS):
        raise SystemExit(f"it ended as {dict(now)}")
    return {
        "mb": round(len(content) / 1e6), "rows_a_second": round(ROWS / (took + again)), "killed_at": left["rows_read"],
        "seconds": round(took + again, 1),
    }  # fmt: skip


async def _row(pool: asyncpg.Pool, identity: str) -> asyncpg.Record:
    return await pool.fetchrow(
        "select state, rows_read, added, ended_at, lease_owner from imports where import_id = $1", identity
    )


async def _campaign(pool: asyncpg.Pool, project_id: str) -> None:
    made = Campaign(
        id="million", project_id=project_id, name="Million", version=1, kind="DISCOUNT_COUPONS", type="STATIC",
        created_at=NOW, updated_at=NOW,
    )  # fmt: skip
    await Campaigns(pool).save([CampaignChange(made, "")], applied_by="bench", now=NOW)


async def _count(pool: asyncpg.Pool, wiring: Wiring, name: str) -> int:
    if name == "codes":
        return int(await pool.fetchval("select count(*) from codes where code like 'MILLION-%'"))
    return await asyncio.to_thread(_customers, wiring)


def _customers(wiring: Wiring) -> int:
    with TopicReader(wiring, "customers") as reader:
        return len({one.key() for one in reader.until_now()})


def _lines(line: Callable[[int], bytes]) -> Iterator[bytes]:
    yield b"code\n" if line is _code else b"id,name,email,consents.marketing,metadata.points:number\n"
    yield from map(line, range(ROWS))


def _code(number: int) -> bytes:
    return b"MILLION-%08d\n" % number


def _customer(number: int) -> bytes:
    return b"customer-%d,Jack Nowak,jack.%d@shop.example,true,%d\n" % (number, number, number % 1000)
