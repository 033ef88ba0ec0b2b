"""A database that moves, that may not be written to, or that stands behind a pooler."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from deploy.embedded.postgres import PostgresServer
from schemas.errors import CannotStart, TryLater
from store import postgres
from store.clock import ahead_of_database, said_of_clocks
from store.codes.imports import CodeImport
from store.codes.pool import Codes
from store.distributions import Change, Control, OutboxEntry
from store.migrate import migrate
from store.postgres import connect, finds_pooler
from store.segment_transaction import EventRow
from store.segments import Segments
from store.sending.ledger import Ledger
from tests.factory import NOW, rule
from tests.integration.test_codes import campaign, codes_of, saved
from tests.integration.test_codes import claim as code_claim
from tests.integration.test_codes import new as new_code
from tests.integration.test_store import claim, due, new, settlement
from tests.pgbouncer import needs_pgbouncer, pgbouncer


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A server that a test may break and has to mend."""
    server = PostgresServer(tmp_path_factory.mktemp("own"), os.environ)
    server.start()
    yield server
    server.stop()


@contextlib.asynccontextmanager
async def administrator(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """The role that may do everything, also where others may only read."""
    connection = await asyncpg.connect(dsn, server_settings={"default_transaction_read_only": "off"})
    try:
        yield connection
    finally:
        await connection.close()


async def read_only(dsn: str, value: str) -> None:
    """Let those who are connected, and come, write or not."""
    async with administrator(dsn) as admin:
        await admin.execute(f"alter system set default_transaction_read_only = {value}")
        await admin.execute("select pg_reload_conf()")


async def end_all_connections(dsn: str) -> None:
    async with administrator(dsn) as admin:
        await admin.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where pid <> pg_backend_pid() and backend_type = 'client backend'"
        )


async def works_again(ledger: Ledger, number: int) -> None:
    """Once it can; the server takes a moment to know it itself."""
    async with asyncio.timeout(60):
        while True:
            try:
                await claim(ledger, "s", [new(number)])
            except TryLater:
                await asyncio.sleep(0.02)
            else:
                return


async def refuses(ledger: Ledger) -> None:
    """Sooner or later, once the setting has arrived; and again after that."""
    async with asyncio.timeout(60):
        with pytest.raises(TryLater):
            while True:
                await claim(ledger, "s", [new(0)])
    with pytest.raises(TryLater):
        await claim(ledger, "s", [new(0)])


async def test_a_server_that_may_not_be_written_to_is_waited_for_and_its_connections_are_given_up(
    own: PostgresServer,
) -> None:
    pool = await connect(own.dsn)
    await migrate(pool, "shop")
    ledger = Ledger(pool)
    await claim(ledger, "s", [new(1)])
    before = await pool.fetchval("select pg_backend_pid()")
    await read_only(own.dsn, "on")
    await refuses(ledger)
    with pytest.raises(TryLater, match="no host can be written to"):
        await connect(own.dsn)
    await read_only(own.dsn, "off")
    await works_again(ledger, 2)
    assert await pool.fetchval("select pg_backend_pid()") != before
    await end_all_connections(own.dsn)
    await works_again(ledger, 3)
    assert [one.state for one in await ledger.settle([settlement("d1")], owner="s")] == ["sent"]
    pool.terminate()


async def connected(dsn: str) -> asyncpg.Pool:
    """A pool, however long a busy server takes to let us in."""
    deadline = time.monotonic() + 90
    while True:
        try:
            return await connect(dsn)
        except TryLater:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.5)


async def test_the_host_that_can_be_written_to_is_found(own: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """One refuses, one never answers, one may only be read."""
    monkeypatch.setattr(postgres, "_CONNECT_SECONDS", 2.0)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        right = own.dsn.rpartition("@")[2].partition("/")[0]
        hosts = f"127.0.0.1:1,127.0.0.1:{silent.getsockname()[1]},{right}"
        pool = await connected(f"postgresql://postgres@{hosts}/postgres")
        assert await pool.fetchval("select 1") == 1
        pool.terminate()


async def test_a_statement_brings_no_other_with_it(dsn: str) -> None:
    pool, asked = await connect(dsn, size=1, pooler="none"), list[str]()
    async with pool.acquire() as connection:
        connection.add_query_logger(lambda record: asked.append(record.query))
    asked.clear()
    await pool.fetchval("select 1")
    await pool.close()
    assert asked == ["select 1"]


async def test_a_database_in_which_nothing_may_be_created_is_said(pool: asyncpg.Pool, dsn: str) -> None:
    await pool.execute("drop table migrations")
    name = dsn.rpartition("/")[2]
    await pool.execute(f"create role {name} login; revoke create on schema public from public")
    theirs = await connect(dsn.replace("postgres@", f"{name}@"))
    with pytest.raises(CannotStart, match="grant usage, create on schema public"):
        await migrate(theirs, "shop")
    await theirs.close()
    await pool.execute(f"drop role {name}")


@needs_pgbouncer
async def test_all_that_is_kept_works_through_pgbouncer_in_transaction_mode(empty_dsn: str) -> None:
    """Two sessions for all of them: each statement of one client finds what another has left there."""
    assert not await finds_pooler(empty_dsn)
    with pgbouncer(empty_dsn, servers=2) as through:
        assert await finds_pooler(through)
        pools = [await connect(through) for _ in range(3)]
        await asyncio.gather(*(migrate(pool, "shop") for pool in pools))
        await asyncio.gather(*(_send(number, pool) for number, pool in enumerate(pools)))
        await _codes(pools)
        await _outboxes(pools)
        for pool in pools:
            await pool.close()


async def _send(number: int, pool: asyncpg.Pool) -> None:
    ledger, owner = Ledger(pool), f"s{number}"
    for chunk in range(10):
        rows = [new(number * 1000 + chunk * 20 + place) for place in range(20)]
        assert len(await claim(ledger, owner, rows)) == 20
        assert len(await ledger.settle([settlement(row.delivery_id) for row in rows], owner=owner)) == 20
        assert await due(ledger, owner) == set()


async def _codes(pools: list[asyncpg.Pool]) -> None:
    for number, pool in enumerate(pools):
        await saved(pool, campaign(f"c{number}"))
    await asyncio.gather(
        *(
            CodeImport(pool, "shop", f"c{number}", by="me").merge([new_code(f"C{number}-{n}") for n in range(40)], NOW)
            for number, pool in enumerate(pools)
        )
    )
    answers = await asyncio.gather(
        *(
            Codes(pool).claim([code_claim(100 * place + n, f"c{place}") for n in range(40)], NOW)
            for place, pool in enumerate(pools)
        )
    )
    assert len({code for one in answers for code in codes_of(one)}) == 120


async def _outboxes(pools: list[asyncpg.Pool]) -> None:
    await Control(pools[0]).save([Change(rule(), "", ())], applied_by="me", now=NOW)
    async with Segments(pools[1]).transaction() as work:
        await work.put_events([EventRow(0, "c1", b"event")])
    told: list[Sequence[object]] = []

    async def publish(entries: Sequence[object]) -> None:
        told.append(entries)

    assert await Control(pools[1]).publish_outbox(publish) == 1
    assert await Segments(pools[2]).publish_outbox(publish) == 1
    assert [type(one) for entries in told for one in entries] == [OutboxEntry, EventRow]


async def test_a_clock_that_is_wrong_is_said_by_at_least_how_much(pool: asyncpg.Pool) -> None:
    def off(seconds: float) -> Callable[[], datetime]:
        return lambda: datetime.now(UTC) + timedelta(seconds=seconds)

    assert await ahead_of_database(pool) == timedelta()
    assert timedelta(seconds=100) < await ahead_of_database(pool, off(120)) <= timedelta(seconds=120)
    assert timedelta(seconds=-120) <= await ahead_of_database(pool, off(-120)) < timedelta(seconds=-100)
    assert "120.0 s behind the database's" in said_of_clocks(timedelta(seconds=-120))
