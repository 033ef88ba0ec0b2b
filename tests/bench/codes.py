"""Claims and imports on a full pool, beside the loops that one would write first and a bare COPY."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import resource
import statistics
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from console.control.codes import import_codes
from console.control.files.code_file import CodeFile
from console.control.files.code_row import RowReader
from schemas.campaign import Campaign
from store.campaigns import CampaignChange, Campaigns
from store.codes.claims import Claim, Published
from store.codes.pool import Codes
from store.migrate import migrate
from store.postgres import connect

CODES = int(os.environ.get("CODES", "1000000"))
CLAIMERS = 4
CHUNK_SIZE = 500
OURS_EACH = 20_000
"""Claims of one claimer in a round; as much as keeps a round in seconds."""
PLAIN_EACH = 1000
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
CUSTOMER = {"id": "c", "source_id": "s", "name": "Jo", "metadata": {}, "object": "customer"}

Report = dict[str, Any]
Claimer = Callable[[str, int, int], Coroutine[Any, Any, None]]

PLAIN_TABLES = """
create table plain_codes (position bigint generated always as identity primary key, code text not null unique,
                          publication_id text);
create index on plain_codes (position) where publication_id is null;
create table plain_publications (publication_id text primary key, position bigint not null unique,
                                 customer_id text not null, customer text not null);
"""
"""What the plain loops need and no more, with the index that serves them best."""
FOR_UPDATE = "select position, code from plain_codes where publication_id is null order by position limit 1 for update"
SKIP_LOCKED = f"{FOR_UPDATE} skip locked"


def measure(dsn: str, folder: Path, rounds: int, say: Callable[[str], None]) -> Report:
    """Import CODES codes and claim some of them, ours and plain in turns."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "codes.csv"
    with file.open("w") as lines:
        lines.write("code\n")
        lines.writelines(f"CODE-{number:09d}\n" for number in range(CODES))
    asyncio.run(_prepare(dsn))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as one:
        ours_s, rss_mb = one.submit(_run_import, dsn, str(file)).result()
        again_s, _ = one.submit(_run_import, dsn, str(file)).result()
    copy_s = asyncio.run(_plain_copy(dsn, file))
    say(
        f"  import of {CODES:,} codes: ours {CODES / ours_s:,.0f}/s in {ours_s:.1f} s ({rss_mb:.0f} MB), bare COPY "
        f"{CODES / copy_s:,.0f}/s: ratio {copy_s / ours_s:.2f}; the same file again {again_s:.1f} s"
    )
    rates: dict[str, list[float]] = {name: [] for name in WAYS}
    with ProcessPoolExecutor(CLAIMERS, mp_context=context) as claimers:
        for number in range(rounds):
            for place, (name, (claimer, each)) in enumerate(WAYS.items()):
                rates[name].append(_round(claimers, claimer, dsn, len(WAYS) * number + place, each))
                say(f"  round {number + 1}  {name:<23} {rates[name][-1]:>9,.0f} claims/s")
    once = asyncio.run(_each_code_once(dsn))
    medians = {name: statistics.median(found) for name, found in rates.items()}
    ratios = {f"ours / {name}": round(medians["ours"] / medians[name], 2) for name in WAYS if name != "ours"}
    say(f"  {CLAIMERS} claimers: " + ", ".join(f"{name} = {ratio:.1f}" for name, ratio in ratios.items()))
    say(f"  each code went once: {once}")
    return {
        "codes": CODES, "import_per_second": CODES / ours_s, "import_rss_mb": rss_mb, "import_again_s": again_s,
        "import / bare copy": round(copy_s / ours_s, 2), "claims_per_second": medians, "each_code_once": once,
        **ratios,
    }  # fmt: skip


def _round(claimers: ProcessPoolExecutor, claimer: Claimer, dsn: str, number: int, each: int) -> float:
    """Claims a second of all claimers together, from the start of the first to the end of the last."""
    runs = [
        claimers.submit(_run_claimer, claimer, dsn, 1_000_000 * (CLAIMERS * number + who), each)
        for who in range(CLAIMERS)
    ]
    spans = [run.result() for run in runs]
    return CLAIMERS * each / (max(end for _, end in spans) - min(begin for begin, _ in spans))


def _run_claimer(claimer: Claimer, dsn: str, first: int, each: int) -> tuple[float, float]:
    began = time.monotonic()
    asyncio.run(claimer(dsn, first, each))
    return began, time.monotonic()


async def _ours(dsn: str, first: int, each: int) -> None:
    pool = await connect(dsn, size=1)
    for start in range(first, first + each, CHUNK_SIZE):
        chunk = [
            Claim(f"pub_{number}", "shop", "spring", f"c{number}", CUSTOMER, "d", f"e{number}", "Automation")
            for number in range(start, start + CHUNK_SIZE)
        ]
        answers = await Codes(pool).claim(chunk, NOW)
        if not all(isinstance(one, Published) for one in answers):
            raise SystemExit("a claim got no code")
    await pool.close()


async def _for_update(dsn: str, first: int, each: int) -> None:
    await _one_by_one(dsn, FOR_UPDATE, first, each)


async def _skip_locked(dsn: str, first: int, each: int) -> None:
    await _one_by_one(dsn, SKIP_LOCKED, first, each)


async def _one_by_one(dsn: str, take: str, first: int, each: int) -> None:
    connection = await asyncpg.connect(dsn)
    customer = msgspec.json.encode(CUSTOMER).decode()
    for number in range(first, first + each):
        async with connection.transaction():
            row = await connection.fetchrow(take)
            identity = f"pub_{number}"
            await connection.execute(
                "update plain_codes set publication_id = $1 where position = $2", identity, row["position"]
            )
            await connection.execute(
                "insert into plain_publications values ($1, $2, $3, $4)",
                identity, row["position"], f"c{number}", customer,
            )  # fmt: skip
    await connection.close()


WAYS: dict[str, tuple[Claimer, int]] = {
    "ours": (_ours, OURS_EACH),
    "one by one, skip locked": (_skip_locked, PLAIN_EACH),
    "one by one, for update": (_for_update, PLAIN_EACH),
}
"""How codes are claimed, and how many by each claimer of a round. In the last one, all wait for the same code."""


def _run_import(dsn: str, file: str) -> tuple[float, float]:
    """Seconds, and the most memory that the process had, in MB."""

    async def run() -> None:
        pool = await connect(dsn, size=1)
        codes = CodeFile(Path(file), RowReader())
        await import_codes(pool, "shop", "spring", codes, batch=10_000, actor="bench", now=datetime.now(UTC))
        await pool.close()

    began = time.monotonic()
    asyncio.run(run())
    return time.monotonic() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def _prepare(dsn: str) -> None:
    pool = await connect(dsn, size=1)
    await migrate(pool, "shop")
    campaign = Campaign(
        id="spring", project_id="shop", version=1, name="Spring", kind="DISCOUNT_COUPONS", type="STATIC",
        created_at=NOW, discount={"type": "PERCENT", "percent_off": 10},
    )  # fmt: skip
    await Campaigns(pool).save([CampaignChange(campaign, "")], applied_by="bench", now=NOW)
    await pool.execute(PLAIN_TABLES)
    await pool.close()


async def _plain_copy(dsn: str, file: Path) -> float:
    connection = await asyncpg.connect(dsn)
    began = time.monotonic()
    await connection.copy_to_table("plain_codes", source=file, columns=["code"], format="csv", header=True)
    took = time.monotonic() - began
    await connection.close()
    return took


async def _each_code_once(dsn: str) -> bool:
    """As many publications were written as codes are in them and as the campaign has counted."""
    connection = await asyncpg.connect(dsn)
    written = await connection.fetchval("select count(*) from publications")
    distinct = await connection.fetchval("select count(distinct position) from publications")
    counted = await connection.fetchval("select published from campaigns")
    await connection.close()
    return bool(written == distinct == counted)
