"""The audit log on its topic, on a real Kafka and PostgreSQL: each row in the order of its chain, whoever dies when."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import asyncpg
import pytest
from typer.testing import CliRunner

from agents.audit_mirror import AuditMirror
from agents.broker.producer import Producer
from agents.broker.reader import TopicReader
from agents.wiring import Wiring
from console.cli.main import app
from deploy.settings.settings import Settings
from schemas.audit import AuditRow, hash_of_row
from schemas.audit_record import AuditRecord
from schemas.errors import TryLater
from schemas.topics import AUDIT
from schemas.wire.read_as import read_as
from store.audit import AuditLog, Chained
from store.audit_mirror import AuditPositions
from tests.integration.api_client import wired
from tests.integration.test_audit import add, entry, without_guard


@pytest.fixture
def wiring(settings: Settings, dsn: str) -> Iterator[Wiring]:
    with wired(settings, dsn, (AUDIT,)) as made:
        yield made


@pytest.fixture
async def mirror(wiring: Wiring, pool: asyncpg.Pool) -> AsyncIterator[AuditMirror]:
    producer = Producer(wiring.settings.kafka.client())
    yield AuditMirror(pool, wiring, producer)
    producer.close()


def on_topic(wiring: Wiring) -> list[AuditRecord]:
    with TopicReader(wiring, AUDIT) as reader:
        found = []
        for message in reader.until_now():
            record = read_as(reader.decode(message), AuditRecord)
            assert message.key() == record.project_id.encode()
            found.append(record)
    return found


def places(records: Sequence[AuditRecord], project: str = "shop") -> list[int]:
    return [one.position for one in records if one.project_id == project]


def as_a_reader(records: Sequence[AuditRecord]) -> list[AuditRecord]:
    """The rows that whoever follows the topic takes: the next one of the chain, and no other."""
    taken: list[AuditRecord] = []
    for one in records:
        if one.position == len(taken) + 1:
            taken.append(one)
    return taken


async def hashes(pool: asyncpg.Pool, project: str = "shop") -> list[str]:
    return [one.hash.hex() async for one in AuditLog(pool).chain(project)]


async def end_transactions(pool: asyncpg.Pool) -> None:
    """End the connection that is within a transaction, as the death of its process does."""
    ended = await pool.fetch(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and state = 'idle in transaction'"
    )
    assert len(ended) == 1


async def test_each_row_of_each_project_is_told_once_in_its_order(
    wiring: Wiring, pool: asyncpg.Pool, mirror: AuditMirror
) -> None:
    await add(pool, entry("a", change={"count": 1}), entry("x", project="outlet"), entry("b"))
    assert await mirror.tell() == 3
    await add(pool, entry("c"), entry("y", project="outlet"))
    assert (await mirror.tell(), await mirror.tell()) == (2, 0)
    found = await asyncio.to_thread(on_topic, wiring)
    assert (places(found), places(found, "outlet")) == ([1, 2, 3], [1, 2])
    assert [one.hash for one in found if one.project_id == "shop"] == await hashes(pool)


async def test_a_reader_proves_the_chain_by_the_records_alone(
    wiring: Wiring, pool: asyncpg.Pool, mirror: AuditMirror
) -> None:
    await add(pool, *(entry(f"{one}", change={"count": one}, version=one) for one in range(5)))
    await mirror.tell()
    before = bytes(32)
    for one in await asyncio.to_thread(on_topic, wiring):
        row = AuditRow(
            one.project_id, one.position, one.at, one.actor, one.action, one.thing, one.version, one.change or "",
            one.request_id, one.key_id, one.address,
        )  # fmt: skip
        before = hash_of_row(row, before)
        assert one.hash == before.hex()
    assert before.hex() == (await hashes(pool))[-1]


async def test_whoever_dies_between_the_topic_and_the_position_loses_no_row_and_blocks_nobody(
    wiring: Wiring, pool: asyncpg.Pool, mirror: AuditMirror
) -> None:
    await add(pool, *(entry(f"{one}") for one in range(7)))

    async def write_and_die(rows: Sequence[Chained]) -> None:
        await mirror._write(rows)
        await end_transactions(pool)

    with pytest.raises(TryLater):
        await AuditPositions(pool).tell(write_and_die, 4)
    assert places(await asyncio.to_thread(on_topic, wiring)) == [1, 2, 3, 4]
    await add(pool, entry("later"))
    assert await mirror.tell() == 8
    found = await asyncio.to_thread(on_topic, wiring)
    assert places(found) == [1, 2, 3, 4, 1, 2, 3, 4, 5, 6, 7, 8]
    assert [one.hash for one in as_a_reader(found)] == await hashes(pool)


async def test_what_kafka_has_not_taken_is_told_again_with_all_that_follows(
    wiring: Wiring, pool: asyncpg.Pool, mirror: AuditMirror
) -> None:
    """The broker may have refused the first of some records and taken the others."""
    await add(pool, *(entry(f"{one}") for one in range(3)))

    async def lose_the_first(rows: Sequence[Chained]) -> None:
        await mirror._write(rows[1:])
        raise TryLater("Kafka did not take the records")

    with pytest.raises(TryLater):
        await AuditPositions(pool).tell(lose_the_first)
    assert await mirror.tell() == 3
    found = await asyncio.to_thread(on_topic, wiring)
    assert places(found) == [2, 3, 1, 2, 3]
    assert [one.hash for one in as_a_reader(found)] == await hashes(pool)


async def test_two_at_once_tell_a_row_once_and_do_not_wait_for_each_other(
    wiring: Wiring, pool: asyncpg.Pool, mirror: AuditMirror
) -> None:
    await add(pool, entry("a"))
    other: list[int] = []

    async def meanwhile(rows: Sequence[Chained]) -> None:
        other.append(await mirror.tell())
        await mirror._write(rows)

    assert await AuditPositions(pool).tell(meanwhile) == 1
    assert other == [0]
    assert places(await asyncio.to_thread(on_topic, wiring)) == [1]


async def test_a_position_that_was_moved_meanwhile_is_not_moved_back(pool: asyncpg.Pool) -> None:
    await add(pool, entry("a"), entry("b"))

    async def meanwhile(rows: Sequence[Chained]) -> None:
        await pool.execute("insert into audit_mirror (project_id, position) values ('shop', 2)")

    await AuditPositions(pool).tell(meanwhile, 1)
    assert await pool.fetchval("select position from audit_mirror") == 2


async def test_a_project_with_many_rows_keeps_no_other_waiting(pool: asyncpg.Pool) -> None:
    await add(pool, *(entry(f"{one}") for one in range(6)), entry("x", project="outlet"), entry("z", project="zoo"))
    told: list[str] = []

    async def note(rows: Sequence[Chained]) -> None:
        told.append(rows[0].row.project_id)

    assert await AuditPositions(pool).tell(note, 2) == 8
    assert told == ["outlet", "shop", "zoo", "shop", "shop"]


async def test_a_change_that_no_record_takes_is_left_out_of_it_and_its_row_is_told(
    wiring: Wiring, pool: asyncpg.Pool, mirror: AuditMirror
) -> None:
    many = {f"field {one}": "ż" * 180 for one in range(6000)}
    await add(pool, entry("a", change=many), entry("b", change={"count": 1}))
    assert await mirror.tell() == 2
    found = await asyncio.to_thread(on_topic, wiring)
    assert [one.change for one in found] == [None, '{"count":1}']
    assert [one.hash for one in found] == await hashes(pool)


async def test_the_loop_goes_on_after_a_server_was_away(
    wiring: Wiring, pool: asyncpg.Pool, mirror: AuditMirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.audit_mirror._EVERY_SECONDS", 0.05)
    write, refused = mirror._write, asyncio.Event()

    async def refuse_once(rows: Sequence[Chained]) -> None:
        if not refused.is_set():
            refused.set()
            await end_transactions(pool)
        await write(rows)

    monkeypatch.setattr(mirror, "_write", refuse_once)
    await add(pool, entry("a"))
    running = asyncio.create_task(mirror.run())
    try:
        async with asyncio.timeout(60):
            while not await pool.fetchval("select position from audit_mirror"):
                await asyncio.sleep(0.05)
        assert refused.is_set()
        assert not running.done()
    finally:
        running.cancel()
    assert places(await asyncio.to_thread(on_topic, wiring)) == [1, 1]


CHANGED = {
    "cut-off": ("delete from audit_log where position > 2", "the topic has 2 rows that the log has not got any more"),
    "made-anew": (
        "delete from audit_log where position > 3",
        "row 4 is on the topic with another hash: the log was made anew",
    ),
}


@pytest.mark.parametrize("case", CHANGED)
async def test_the_command_says_what_the_database_alone_cannot(
    wiring: Wiring, pool: asyncpg.Pool, mirror: AuditMirror, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = wiring.settings
    for name, value in (
        ("POSTGRES", made.postgres.dsn.reveal()), ("KAFKA", made.kafka.bootstrap), ("PROJECT_ID", "shop"),
        ("TOPICS_PREFIX", made.topics.prefix),
    ):  # fmt: skip
        monkeypatch.setenv(f"TIDINGS_{name}", value)

    async def verify() -> Any:
        return await asyncio.to_thread(CliRunner().invoke, app, ["audit", "verify", "--topic", "--json"])

    await add(pool, *(entry(f"{one}") for one in range(4)), entry("x", project="outlet"))
    await mirror.tell()
    await add(pool, entry("waits"))
    right = await verify()
    assert right.exit_code == 0, right.output
    assert json.loads(right.stdout)["topic"] == {"rows": 4, "behind": 1, "fault": None}
    statement, fault = CHANGED[case]
    await without_guard(pool, statement)
    if case == "made-anew":
        await add(pool, entry("other"))
    wrong = await verify()
    said = json.loads(wrong.stdout)
    assert (wrong.exit_code, said["fault"], said["topic"]["fault"][: len(fault)]) == (1, None, fault)
