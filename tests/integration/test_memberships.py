"""The telling of memberships on a real Kafka and PostgreSQL: the last record of a customer is what Postgres says."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from agents.broker.producer import write_all
from agents.broker.reader import TopicReader
from agents.broker.records import Output
from agents.wiring import Wiring
from console.cli.check import memberships_of
from schemas.errors import TryLater
from schemas.membership import COMPLETE_KEY
from store import migrate
from store.memberships import BATCH_SIZE
from tests.integration.test_segments import GOLD, Stage

FOLDER = migrate.FOLDER


@pytest.fixture
async def stage(wiring: Wiring, pool: asyncpg.Pool) -> AsyncIterator[Stage]:
    yield Stage(wiring, pool)


def told(wiring: Wiring) -> dict[bytes, list[str] | None]:
    """The last record of each customer on the compacted topic."""
    last: dict[bytes, list[str] | None] = {}
    with TopicReader(wiring, "memberships") as reader:
        for message in reader.until_now():
            if message.key() != COMPLETE_KEY:
                last[message.key()] = None if message.value() is None else reader.decode(message)["segments"]
    return last


def completed(wiring: Wiring) -> list[tuple[int, int]]:
    """Partitions that say that all is told, with the number of records before."""
    found, before = [], dict[int, int]()
    with TopicReader(wiring, "memberships") as reader:
        for message in reader.until_now():
            if message.key() == COMPLETE_KEY:
                found.append((message.partition(), before.get(message.partition(), 0)))
            before[message.partition()] = before.get(message.partition(), 0) + 1
    return found


async def in_postgres(pool: asyncpg.Pool) -> dict[str, list[str]]:
    rows = await pool.fetch(
        "select customer_id, array_agg(segment_id order by segment_id) filter (where is_member) as ids"
        " from segment_memberships group by customer_id"
    )
    return {row["customer_id"]: row["ids"] or [] for row in rows}


async def test_profiles_segments_and_erasures_are_told_as_they_are_in_the_end(stage: Stage) -> None:
    by = stage.segmenter()
    await stage.apply("gold", when=GOLD)
    await stage.apply("all", when={"customer.id": {"is_set": True}})
    await stage.compute(by)
    stage.now += timedelta(minutes=1)
    rows = [stage.record("c1", tier="gold"), stage.record("c2", tier="tin"), stage.record("c3", tier="gold")]
    await stage.take(by, *rows)
    assert told(stage.wiring) == {b"c1": ["all", "gold"], b"c2": ["all"], b"c3": ["all", "gold"]}
    await stage.take(by, stage.record("c1", tier="tin"), stage.tombstone("c3"))
    assert told(stage.wiring) == {b"c1": ["all"], b"c2": ["all"], b"c3": None}
    await stage.segments.remove("shop", "all", by="test")
    await by.memberships.tell()
    assert told(stage.wiring) == {b"c1": [], b"c2": [], b"c3": None}
    await stage.take(by, stage.tombstone("c1"))
    assert told(stage.wiring)[b"c1"] is None, "of one who was in a segment once nothing stays either"


async def test_projects_with_the_same_ids_are_never_mixed(stage: Stage) -> None:
    by = stage.segmenter()
    await stage.apply("gold", when=GOLD)
    await stage.compute(by)
    stage.now += timedelta(minutes=1)
    raw = stage.wiring.codec("customers").encode({"id": "c1", "project_id": "outlet", "metadata": {"tier": "gold"}})
    other = stage._add("outlet\x1fc1", raw)
    await stage.take(by, stage.record("c1", tier="gold"), other)
    assert told(stage.wiring) == {b"c1": ["gold"]}
    await stage.pool.execute(
        "insert into segments (segment_id, project_id, version, definition, source, applied_by, created_at, applied_at)"
        " select 'gold', 'outlet', 1, definition || '{\"project_id\": \"outlet\"}', '', '', created_at, applied_at"
        " from segments"
    )
    await stage.compute(by)
    await stage.take(by, stage.record("c1", tier="tin"))
    assert told(stage.wiring) == {b"c1": [], b"outlet\x1fc1": ["gold"]}


async def test_what_dies_before_kafka_has_it_is_told_again_as_it_is_by_then(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = stage.segmenter(), stage.segmenter()
    await stage.apply("gold", when=GOLD)
    await stage.compute(one)
    stage.now += timedelta(minutes=1)

    async def never(*_: Any, **__: Any) -> None:
        raise TryLater("the process dies here")

    teller = one.memberships._teller
    monkeypatch.setattr(teller, "_publish", never)
    taking = asyncio.create_task(stage.take(one, stage.record("c1", tier="gold"), stage.record("c2", tier="gold")))
    while not await in_postgres(stage.pool):
        await asyncio.sleep(0.02)
    taking.cancel()
    await asyncio.gather(taking, return_exceptions=True)
    assert told(stage.wiring) == {}
    await stage.take(other, stage.record("c1", tier="tin"))
    assert told(stage.wiring) == {b"c1": [], b"c2": ["gold"]}
    assert await stage.segments.changes.untold() == (0, 4)


async def test_customers_who_leave_one_segment_for_another_are_noted_by_statement_and_told_once(
    stage: Stage, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    by, count = stage.segmenter(), 30
    await stage.apply("gold", when=GOLD)
    await stage.apply("tin", when={"customer.metadata.tier": "tin"})
    await stage.compute(by)
    stage.now += timedelta(minutes=1)
    await stage.take(by, *(stage.record(f"c{number}", tier="gold") for number in range(count)))
    with monkeypatch.context() as held:
        held.setattr(by.memberships, "tell", _nothing_is_told)
        await stage.take(by, *(stage.record(f"c{number}", tier="tin") for number in range(count)))
    rows = await pool.fetch("select customers, cardinality(customer_ids) as ids from membership_changes")
    assert [tuple(row) for row in rows] == [(count, count)] * 2, "one of those who left, one of those who entered"
    await by.memberships.tell()
    with TopicReader(stage.wiring, "memberships") as reader:
        keys = [message.key() for message in reader.until_now() if message.key() != COMPLETE_KEY]
    assert Counter(keys) == {f"c{number}".encode(): 2 for number in range(count)}
    assert set(map(tuple, (ids or [] for ids in told(stage.wiring).values()))) == {("tin",)}
    assert await stage.segments.changes.untold() == (0, 4)


async def _nothing_is_told() -> int:
    return 0


async def test_processes_that_tell_at_once_leave_what_postgres_says(stage: Stage) -> None:
    rng, crew = random.Random(3), [stage.segmenter() for _ in range(3)]
    await stage.apply("gold", when=GOLD)
    await stage.compute(crew[0])
    stage.now += timedelta(minutes=1)
    for _ in range(20):
        rows = [stage.record(f"c{rng.randrange(30)}", tier=rng.choice(["gold", "tin"])) for _ in range(10)]
        await stage.take(rng.choice(crew), *rows)
        await asyncio.gather(*(one.memberships.tell() for one in crew))
    assert {key.decode(): ids for key, ids in told(stage.wiring).items()} == await in_postgres(stage.pool)
    with TopicReader(stage.wiring, "memberships") as reader:
        revisions: dict[bytes, int] = {}
        for message in reader.until_now():
            if message.key() == COMPLETE_KEY:
                continue
            revision = reader.decode(message)["revision"]
            assert revision > revisions.get(message.key(), 0)
            revisions[message.key()] = revision


async def test_members_from_before_an_upgrade_are_told_page_by_page_and_then_it_is_said(
    wiring: Wiring, empty_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in FOLDER.glob("*.sql"):
        if file.stem < "0050" or file.stem.endswith("_audit_log"):  # into which whoever applies a segment today writes
            (tmp_path / file.name).write_text(file.read_text())
    async with asyncpg.create_pool(empty_dsn, min_size=1, max_size=4) as pool:
        monkeypatch.setattr(migrate, "FOLDER", tmp_path)
        await migrate.migrate(pool, "shop")
        stage, count = Stage(wiring, pool), BATCH_SIZE + 100
        await stage.apply("gold", members=["x"])
        await pool.execute(
            "insert into segment_customers (project_id, customer_id, partition, epoch, profile)"
            " select 'shop', 'c' || n, 0, 0, '{}' from generate_series(1, $1) n",
            count,
        )
        await pool.execute(
            "insert into segment_memberships (project_id, customer_id, segment_id, is_member, number, since)"
            " select 'shop', 'c' || n, 'gold', n > 3, 1, now() from generate_series(1, $1) n",
            count,
        )
        monkeypatch.setattr(migrate, "FOLDER", FOLDER)
        await migrate.migrate(pool, "shop")
        teller = stage.segmenter().memberships._teller
        assert await teller.tell() == BATCH_SIZE
        assert completed(wiring) == [], "not before all is told"
        while await stage.segmenter().memberships._teller.tell():
            pass
        everybody = {f"c{number}".encode(): ["gold"] for number in range(4, count + 1)}
        assert told(wiring) == everybody
        parts = completed(wiring)
        assert sorted(partition for partition, _ in parts) == [0, 1, 2, 3]
        assert sum(before for _, before in parts) == len(everybody), "it comes behind all of its partition"
        assert await teller.tell() == 0 and len(completed(wiring)) == 4, "once"


async def test_all_is_told_again_where_the_topic_lost_it(stage: Stage) -> None:
    by = stage.segmenter()
    await stage.apply("gold", when=GOLD)
    await stage.compute(by)
    stage.now += timedelta(minutes=1)
    await stage.take(by, stage.record("c1", tier="gold"))
    assert len(completed(stage.wiring)) == 4
    lost = Output(stage.wiring.topic("memberships"), b"c1", None)
    await write_all(by.memberships._producer, [lost])
    assert told(stage.wiring) == {b"c1": None}
    assert await stage.segments.changes.tell_again() == 1
    await by.memberships.tell()
    assert told(stage.wiring) == {b"c1": ["gold"]}
    assert len(completed(stage.wiring)) == 8


async def test_a_page_ends_behind_the_row_that_fills_it(stage: Stage, pool: asyncpg.Pool) -> None:
    """Rows hold as many customers as a statement changed, up to a thousand."""
    by, count = stage.segmenter(), 2 * BATCH_SIZE + 500
    await stage.apply("gold", members=["x"])
    await stage.compute(by)
    await pool.execute(
        "insert into segment_memberships (project_id, customer_id, segment_id, is_member, number, since)"
        " select 'shop', 'c' || n, 'gold', true, 1, now() from generate_series(1, $1) n",
        count,
    )
    rows = await pool.fetch("select customers from membership_changes order by id")
    assert [row["customers"] for row in rows] == [1000, 1000, 1000, 1000, 500]
    assert await stage.segments.changes.untold() == (count, 4)
    told_of = [await by.memberships._teller.tell() for _ in range(4)]
    assert told_of == [BATCH_SIZE, BATCH_SIZE, 500, 0]
    assert set(told(stage.wiring)) == {f"c{number}".encode() for number in range(1, count + 1)}


async def test_a_trial_judges_by_what_is_in_postgres(stage: Stage) -> None:
    by = stage.segmenter()
    await stage.apply("gold", when=GOLD)
    await stage.compute(by)
    stage.now += timedelta(minutes=1)
    await stage.take(by, stage.record("c1", tier="gold"), stage.record("c2", tier="tin"))
    known = await memberships_of(stage.wiring, "shop", ["c1", "c2", "c3"], {"c2": ["given"]})
    assert [known.of(customer) for customer in ("c1", "c2", "c3")] == [["gold"], ["given"], ()]
    assert (await memberships_of(stage.wiring, "other", ["c1"], {})).of("c1") == ()
