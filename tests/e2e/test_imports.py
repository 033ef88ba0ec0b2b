"""Files that are handed in to a real process of the API, which is killed while it adds them: each row is in once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from agents.broker.reader import TopicReader
from agents.wiring import Wiring
from deploy.settings.settings import Settings
from tests.e2e.api_process import ApiProcess, api_process
from tests.environment import environment_of
from tests.integration.api_client import wired
from tests.integration.test_audit_of_writes import campaign

ROWS = 40_000
CODES = b"code\n" + b"".join(b"SPRING-%08d\n" % number for number in range(ROWS))
CUSTOMERS = b"id,metadata.n:number\n" + b"".join(b"c%d,%d\n" % (number, number) for number in range(ROWS))
_TRIES = 5


@pytest.fixture
def wiring(settings: Settings, dsn: str) -> Iterator[Wiring]:
    with wired(settings, dsn, ("customers",)) as made:
        yield made


async def killed_in_the_middle(api: ApiProcess, pool: asyncpg.Pool, path: str, content: bytes) -> str:
    """The id of an import whose process was killed when some of it was in; a fast one is done before."""
    for _ in range(_TRIES):
        identity: str = (await api.ask("POST", path, content))["import"]["id"]
        async with asyncio.timeout(300):
            sql = "select rows_read from imports where import_id = $1"
            while not await pool.fetchval(sql, identity):
                await asyncio.sleep(0.002)
        await api.kill()
        if await pool.fetchval("select ended_at is null from imports where import_id = $1", identity):
            return identity
        await api.start()
    raise AssertionError("each was done before the kill")


@pytest.mark.parametrize(
    ("path", "content"),
    [("/campaigns/spring/imports", CODES), ("/customers/imports", CUSTOMERS)],
    ids=["codes", "customers"],
)
async def test_each_row_is_in_once_though_the_process_is_killed(
    wiring: Wiring, pool: asyncpg.Pool, tmp_path: Path, path: str, content: bytes
) -> None:
    await campaign(pool)
    async with api_process(pool, wiring, environment_of(wiring), tmp_path) as api:
        identity = await killed_in_the_middle(api, pool, path, content)
        await pool.execute("update imports set lease_until = now() where import_id = $1", identity)
        await api.start()
        found: Any = {"ended_at": None}
        async with asyncio.timeout(300):
            while found["ended_at"] is None:
                found = await api.ask("GET", f"/imports/{identity}")
                await asyncio.sleep(0.05)
    assert [found[name] for name in ("state", "rows", "rows_read")] == ["done", ROWS, ROWS], found
    if content is CODES:
        assert (await pool.fetchval("select count(*) from codes"), found["added"]) == (ROWS, ROWS)
    else:
        with TopicReader(wiring, "customers") as reader:
            keys = [one.key() for one in reader.until_now()]
        assert ({*keys}, found["added"]) == ({b"c%d" % number for number in range(ROWS)}, ROWS)
        assert len(keys) <= ROWS + 5000, "no more than one batch is written again"
