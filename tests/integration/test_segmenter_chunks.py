"""Chunks of a segmenter: the next one comes in while the one before is told, and none has ended before it is told."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from agents.wiring import Wiring
from schemas.formats.search_keys import search_keys
from store.clock import database_now
from store.known_customers import KnownCustomers
from store.segment_transaction import EventRow, Profile
from store.segments import Segments
from store.sql import queries
from tests.integration.test_segments import GOLD, Stage

PATIENCE = 60.0


@pytest.fixture
async def stage(wiring: Wiring, pool: asyncpg.Pool) -> AsyncIterator[Stage]:
    yield Stage(wiring, pool)


async def until(holds: Callable[[], Awaitable[bool]], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not await holds():
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.01)


async def test_the_next_chunk_comes_in_while_the_one_before_is_told(stage: Stage) -> None:
    one, let = stage.segmenter(), asyncio.Event()
    await stage.apply("gold", when=GOLD)
    await stage.compute(one)
    stage.now += timedelta(minutes=1)
    publish = one.memberships._publish

    async def held_up(events: Any) -> None:
        await let.wait()
        await publish(events)

    one.memberships._publish = held_up  # type: ignore[method-assign]
    taking = list[asyncio.Future[None]]()
    for customer in ("c1", "c2", "c3"):
        taking.append(asyncio.ensure_future(stage.take(one, stage.record(customer, tier="gold"))))

        async def is_in(customer: str = customer) -> bool:
            return customer in await stage.members("gold")

        await until(is_in, f"{customer} is in")
    assert not any(one.done() for one in taking), "nothing is told yet"
    let.set()
    await asyncio.wait_for(asyncio.gather(*taking), PATIENCE)
    assert stage.told() == [("entered", "gold", "c1"), ("entered", "gold", "c2"), ("entered", "gold", "c3")]


async def test_what_fails_while_it_is_told_ends_every_batch_that_waits_for_it_and_is_told_by_the_next(
    stage: Stage,
) -> None:
    one, other = stage.segmenter(), stage.segmenter()
    await stage.apply("gold", when=GOLD)
    await stage.compute(one)
    stage.now += timedelta(minutes=1)

    async def broken(_: Any) -> None:
        raise ZeroDivisionError

    one.memberships._publish = broken  # type: ignore[assignment, method-assign]
    records = [stage.record(customer, tier="gold") for customer in ("c1", "c2")]
    ends = await asyncio.gather(*(stage.take(one, record) for record in records), return_exceptions=True)
    assert [type(end) for end in ends] == [ZeroDivisionError, ZeroDivisionError]
    await stage.take(other, *records)
    assert stage.told() == [("entered", "gold", "c1"), ("entered", "gold", "c2")]


async def test_a_profile_that_came_over_its_topic_is_found_by_the_same_keys(stage: Stage, pool: asyncpg.Pool) -> None:
    """Those who read it hand the keys over; whoever puts a profile without has them worked out."""
    person = {"id": "c1", "name": "Zoë Łęcka", "email": "Zoe@Example.com", "phone": "+48 600 100 200"}
    await stage.take(stage.segmenter(), stage._add("c1", stage.wiring.codec("customers").encode(person)))
    for sought in ("zoe", "lecka", "zoe@ex", "100200"):
        assert [one for one, _ in await KnownCustomers(pool).found("shop", sought, 5)] == ["c1"], sought
    async with Segments(pool).transaction() as work:
        await work.put_customers("shop", [Profile("c2", 1, 7, b'{"id":"c2","name":"Zoe"}', keys=search_keys({}))])
    assert [one for one, _ in await KnownCustomers(pool).found("shop", "zoe", 5)] == ["c1"], "given keys count"


async def test_a_profile_that_comes_as_it_was_is_not_written_again(stage: Stage, pool: asyncpg.Pool) -> None:
    """Whatever differs of it is: the profile, and a key that an earlier release could not make of it."""
    one = stage.segmenter()

    async def version() -> Any:
        return await pool.fetchval("select xmin::text from segment_customers where customer_id = 'c1'")

    await stage.take(one, stage.record("c1", tier="gold"))
    first = await version()
    await stage.take(one, stage.record("c1", tier="gold"))
    assert await version() == first
    await stage.take(one, stage.record("c1", tier="iron"))
    assert await version() != first
    await pool.execute("update segment_customers set name_key = 'x' where customer_id = 'c1'")
    await stage.take(one, stage.record("c1", tier="iron"))
    assert await pool.fetchval("select name_key from segment_customers where customer_id = 'c1'") is None


async def test_ids_of_any_text_stay_whole_on_their_way_into_postgres(stage: Stage, pool: asyncpg.Pool) -> None:
    ids = ["a,b", "{c}", 'd"\\e', "ż ó", "NULL", "\x1e", "\t", ""]
    by = stage.segmenter()

    async def members() -> list[str]:
        rows = await pool.fetch("select customer_id from segment_memberships where is_member")
        return sorted(row["customer_id"] for row in rows)

    await stage.apply("gold", when=GOLD)
    await stage.compute(by)
    await stage.take(by, stage.record("", tier="gold"))
    assert await members() == [""], "the only one of its chunk"
    await stage.take(by, *(stage.record(identity, tier="gold") for identity in ids))
    assert await members() == sorted(ids)
    await stage.take(by, *(stage.record(identity, tier="iron") for identity in ids))
    assert await members() == []
    assert Counter(stage.told()) == Counter((kind, "gold", one) for kind in ("entered", "left") for one in ids)


async def test_a_chunk_of_known_customers_is_three_statements_in_a_transaction(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The position with the customers, what is known of them, and all that becomes of it."""
    one = stage.segmenter()
    one._segments._clock = database_now
    await stage.apply("gold", when=GOLD)
    await stage.compute(one)
    await stage.take(one, stage.record("c1", tier="gold"), stage.record("c2", tier="iron"))
    asked = list[str]()
    for name in ("fetch", "fetchrow", "fetchval", "execute"):
        call = getattr(asyncpg.Connection, name)

        async def noted(self: Any, query: str, *rest: Any, call: Any = call, **options: Any) -> Any:
            asked.append(query)
            return await call(self, query, *rest, **options)

        monkeypatch.setattr(asyncpg.Connection, name, noted)
    batch = stage.batch(one, stage.record("c1", tier="iron"), stage.record("c2", tier="gold"))
    await one.intake.take(batch)
    assert batch.ending is not None
    await batch.ending()
    assert [query for query in asked if query not in ("BEGIN;", "COMMIT;")] == [
        queries("segments")["lock_position"],
        queries("segments")["look"],
        asked[-2],
    ]
    monkeypatch.undo()
    await one.memberships.tell()
    assert Counter(stage.told()) == Counter(
        [("entered", "gold", "c1"), ("left", "gold", "c1"), ("entered", "gold", "c2")]
    )


async def test_a_unit_that_others_have_outrun_asks_again_what_the_segments_are(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chunks of one process share an index: none is judged by segments that it has not seen."""
    one = stage.segmenter()
    await stage.apply("gold", when=GOLD)
    await stage.compute(one)
    stage.now += timedelta(minutes=1)
    learned, rivals = one.memberships.learned, [1]

    async def overtaken(work: Any, project: str, states: Any) -> Any:
        index = await learned(work, project, states)
        if rivals:
            rivals.pop()
            await stage.apply("rich", when={"customer.metadata.tier": "gold"})
            async with stage.segments.transaction() as rival:
                await learned(rival, project, await rival.states(project))
        return index

    monkeypatch.setattr(one.memberships, "learned", overtaken)
    await stage.take(one, stage.record("c1", tier="gold"))
    await stage.compute(one)
    assert (await stage.members("gold"), await stage.members("rich")) == (["c1"], ["c1"])
    assert stage.told() == [("entered", "gold", "c1"), ("entered", "rich", "c1")]


async def test_what_cannot_be_judged_is_kept_while_it_stays_so_and_goes_with_its_reason(
    stage: Stage, pool: asyncpg.Pool
) -> None:
    one = stage.segmenter()
    await stage.apply("old", when={"customer.metadata.age": {"at_least": 65}})
    await stage.apply("young", when={"customer.metadata.age": {"less_than": 30}})
    await stage.compute(one)

    async def unjudged() -> list[tuple[str, str, str, str]]:
        rows = await pool.fetch("select *, xmin::text as by from segment_unjudged order by customer_id, segment_id")
        return [(row["customer_id"], row["segment_id"], row["reason"], row["by"]) for row in rows]

    await stage.take(one, stage.record("c1", age="many"), stage.record("c2", age="few"))
    before = await unjudged()
    assert [row[:2] for row in before] == [("c1", "old"), ("c1", "young"), ("c2", "old"), ("c2", "young")]
    await stage.take(one, stage.record("c1", age="many"), stage.record("c2", age=70))
    assert await unjudged() == before[:2], "not written again"
    await stage.take(one, stage.record("c1", age=[1]))
    after = await unjudged()
    assert [row[:2] for row in after] == [row[:2] for row in before[:2]]
    assert all(row[2] != was[2] for row, was in zip(after, before, strict=False))
    await stage.take(one, stage.tombstone("c1"))
    assert await unjudged() == []


async def test_a_chunk_of_many_projects_keeps_each_of_them(stage: Stage) -> None:
    one = stage.segmenter()
    await stage.apply("gold", when=GOLD)
    await stage.compute(one)
    records = [stage.record("c1", tier="gold"), stage.record("c2", tier="gold")]
    for project in ("anvils", "zippers"):
        raw = stage.wiring.codec("customers").encode({"id": "c1", "metadata": {"tier": "gold"}})
        records.insert(1, stage._add("c1", raw))
        records[1].key = stage.wiring.key(project, "c1")
    records.sort(key=lambda record: record.offset)
    await stage.take(one, *records)
    await stage.take(one, *records)
    assert await stage.members("gold") == ["c1", "c2"]
    rows = await stage.pool.fetch("select project_id, customer_id from segment_customers order by 1, 2")
    assert [tuple(row) for row in rows] == [("anvils", "c1"), ("shop", "c1"), ("shop", "c2"), ("zippers", "c1")]
    assert await stage.pool.fetchval("select next_offset from segment_positions") == records[-1].offset + 1


async def test_processes_that_take_the_same_chunk_at_once_bring_it_in_once(stage: Stage) -> None:
    """One has lost the partition and does not know yet: both lock the position before any customer, in one order."""
    crew = [stage.segmenter() for _ in range(3)]
    await stage.apply("gold", when=GOLD)
    await stage.compute(crew[0])
    stage.now += timedelta(minutes=1)
    for turn in range(10):
        ids = [f"c{number}" for number in (range(20) if turn % 2 else range(29, 9, -1))]
        records = [stage.record(one, tier="gold" if turn % 2 else "tin") for one in ids]
        await asyncio.gather(*(stage.take(one, *records) for one in crew))
    told = Counter((kind, customer) for kind, _, customer in stage.told())
    entered = {("entered", f"c{number}"): 5 if number >= 10 else 1 for number in range(20)}
    left = {("left", f"c{number}"): 4 for number in range(10, 20)}
    assert told == entered | left, "each change once, whoever told it"
    assert await stage.members("gold") == sorted(f"c{number}" for number in range(20))


async def test_what_an_earlier_release_left_in_the_outbox_goes_out_first(stage: Stage, pool: asyncpg.Pool) -> None:
    one, told = stage.segmenter(), list[EventRow]()
    old, new = [EventRow(1, "ż", b"\0a"), EventRow(0, "c2", b"")], [EventRow(1, "ż", b"b"), EventRow(2, "\x1e", b"c")]
    columns = [list(column) for column in zip(*old, strict=True)]
    await pool.execute("insert into segment_outbox (partitions, keys, events) values ($1, $2, $3)", *columns)
    async with one._segments.transaction() as work:
        await work.put_events(new)

    async def publish(events: Sequence[EventRow]) -> None:
        told.extend(events)

    assert await one._segments.publish_outbox(publish) == len(old + new)
    assert told == old + new
    assert await one._segments.publish_outbox(publish) == 0
