"""Read models made anew from the topics: exact, day by day, beside those who read and write the old ones."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from agents.broker.partitioner import partition_of
from agents.broker.records import Output
from agents.broker.writer import Writer, Written
from agents.recorded_rows import decision_row, status_row
from agents.wiring import Wiring
from console.control.rebuild import ReadModelsRebuilt, rebuild_read_models
from schemas.decision import Decision, DeliveryStatus
from schemas.errors import TidingsError, TryLater
from schemas.record_key import Keyed
from schemas.topics import DECISIONS, DELIVERY_STATUS
from store.erasure import Erasure
from store.read_models.rebuild import Rebuild, Rebuilt, unfinished_rebuild
from store.read_models.recorded import DecisionRow, Recorded, Source, Sourced, StatusRow
from store.rebuilds import RebuildProgress
from tests.counted import differing
from tests.integration.test_recorder import KEEP, decision, status

NOON = (datetime.now(UTC) - timedelta(days=1)).replace(hour=12, minute=0, second=0, microsecond=0)
Record = Decision | DeliveryStatus


def day(ago: int) -> date:
    return (NOON - timedelta(days=ago)).date()


def records(count: int, *, start: int = 0, days: int = 4) -> list[Record]:
    """Decisions and ends about events of some days, the oldest first."""
    made: list[Record] = []
    for number in range(start, start + count):
        at = NOON - timedelta(days=days - 1 - (number - start) * days // count)
        made.append(decision(number, at, outcome="emitted", reason=None, delivery_id=f"dlv_{number}"))
        made.append(status(number, at, delivery_id=f"dlv_{number}"))
    return made


class Shop:
    """A deployment's topics and read models."""

    def __init__(self, wiring: Wiring, pool: asyncpg.Pool) -> None:
        self.wiring, self.pool, self.recorded = wiring, pool, Recorded(pool, KEEP)
        self.writer = Writer(wiring.settings.kafka.client())

    async def write(self, made: Sequence[Record]) -> list[Written]:
        """Records on their topics, at the time of their events."""
        outputs = []
        for one in made:
            topic = DECISIONS if isinstance(one, Decision) else DELIVERY_STATUS
            key, raw = one.customer_id.encode(), self.wiring.codec(topic).encode(one)
            partition = partition_of(key, self.wiring.settings.topics.partitions)
            stamp = int(one.event.created_at.timestamp() * 1000)
            outputs.append(Output(self.wiring.topic(topic), key, raw, partition, timestamp=stamp))
        places = await asyncio.to_thread(self.writer.write, outputs)
        assert not any(one.refused for one in places)
        return places

    async def record(self, made: Sequence[Record], places: Sequence[Written]) -> None:
        """The same as recorders put it, partition by partition."""
        chunks = defaultdict(list)
        for one, place in zip(made, places, strict=True):
            row: Any = decision_row(one) if isinstance(one, Decision) else status_row(one)
            sourced = Sourced(place.offset, int(one.event.created_at.timestamp() * 1000), row)
            chunks[isinstance(one, Decision), place.partition].append(sourced)
        for (is_decision, partition), rows in chunks.items():
            put = self.recorded.put_decisions if is_decision else self.recorded.put_statuses
            topic = self.wiring.topic(DECISIONS if is_decision else DELIVERY_STATUS)
            await put(Source(topic, partition, rows[-1].offset + 1, max(one.stamp for one in rows)), rows)

    async def rebuild(self, **options: Any) -> ReadModelsRebuilt:
        return await rebuild_read_models(self.pool, self.wiring, actor="ann", now=datetime.now(UTC), **options)

    async def spoil(self) -> None:
        """Lose some rows, change others, and have some that nobody decided."""
        await self.pool.execute("delete from recorded_decisions where decision_id like '%5'")
        await self.pool.execute("update recorded_decisions set detail = 'spoiled' where decision_id like '%3'")
        await self.pool.execute("delete from recorded_statuses where delivery_id like '%7'")
        at = NOON + timedelta(minutes=1)
        columns = ", ".join(DecisionRow._fields)
        made_up = columns.replace("decision_id", "'dec_made_up' || day").replace("decided_at", "$1")
        first = "select distinct on (day) * from recorded_decisions order by day, decision_id"
        await self.pool.execute(
            f"insert into recorded_decisions ({columns}, recorded_at) select {made_up}, now() from ({first}) as one",  # noqa: S608
            at,
        )

    async def rows(self) -> tuple[set[tuple[Any, ...]], set[tuple[Any, ...]]]:
        """Everything that is kept, but for when it was."""
        found = []
        for table, kind in (("recorded_decisions", DecisionRow), ("recorded_statuses", StatusRow)):
            rows = await self.pool.fetch(f"select {', '.join(kind._fields)} from {table}")  # noqa: S608
            assert len(rows) == len({tuple(row) for row in rows})
            found.append({tuple(row) for row in rows})
        return found[0], found[1]

    async def is_clean(self) -> bool:
        """Nothing of a rebuild is left."""
        counts = [
            await self.pool.fetchval(f"select count(*) from rebuilt_{one}")  # noqa: S608
            for one in ("decisions", "statuses", "decisions_by_minute", "statuses_by_minute", "positions")
        ]
        left = await self.pool.fetchval("select count(*) from pg_class where relname ~ '^rebuilt_.*_[0-9]{8}$'")
        return (counts, left, await unfinished_rebuild(self.pool)) == ([0] * 5, 0, None)


def expected(made: Sequence[Record]) -> tuple[set[tuple[Any, ...]], set[tuple[Any, ...]]]:
    decisions = {tuple(decision_row(one)) for one in made if isinstance(one, Decision)}
    return decisions, {tuple(status_row(one)) for one in made if isinstance(one, DeliveryStatus)}


@pytest.fixture
def shop(wiring: Wiring, pool: asyncpg.Pool) -> Shop:
    return Shop(wiring, pool)


async def test_read_models_are_made_anew_as_the_topics_tell_them(shop: Shop) -> None:
    made = records(200)
    await shop.record(made, await shop.write(made))
    await shop.spoil()
    assert await shop.rows() != expected(made)
    progress = RebuildProgress()
    done = await shop.rebuild(progress=progress)
    assert await shop.rows() == expected(made)
    assert await differing(shop.pool) == []
    assert [one.day for one in done.replaced] == [day(ago) for ago in (3, 2, 1, 0)]
    assert ([one.decisions for one in done.replaced], done.kept, done.read) == ([50] * 4, (), 400)
    assert (progress.to_read, progress.read, progress.replaced, progress.waits) == (400, 400, [*done.replaced], "")
    assert await shop.is_clean()
    again = await shop.rebuild()
    assert (len(again.replaced), await shop.rows()) == (4, expected(made))


async def test_from_nothing_they_are_made_as_well(shop: Shop) -> None:
    made = records(60)
    await shop.write(made)
    await shop.rebuild()
    assert await shop.rows() == expected(made)


async def test_a_day_of_which_the_topics_have_lost_something_stays_as_it_is(shop: Shop) -> None:
    made = records(200)
    places = await shop.write(made)
    await shop.record(made, places)
    gone: dict[tuple[str, int], int] = {}
    for one, place in zip(made, places, strict=True):
        if one.event.created_at.date() <= day(3):
            gone[shop.wiring.topic(DECISIONS), place.partition] = place.offset // 2 + 1
    admin = AdminClient(shop.wiring.settings.kafka.client())
    for deleted in admin.delete_records([TopicPartition(*place, offset) for place, offset in gone.items()]).values():
        deleted.result(60)
    await shop.spoil()
    before = await shop.rows()
    done = await shop.rebuild()
    after, right = await shop.rows(), expected(made)
    for then, now, told in zip(before, after, right, strict=True):
        assert {row for row in now if row[0] == day(3)} == {row for row in then if row[0] == day(3)}
        assert {row for row in now if row[0] != day(3)} == {row for row in told if row[0] != day(3)}
    assert ([one.day for one in done.replaced], done.kept) == ([day(2), day(1), day(0)], (day(3),))


async def test_a_topic_that_was_made_anew_does_not_take_what_the_one_before_it_had(shop: Shop) -> None:
    old, new = records(40, days=2), records(40, start=100, days=1)
    for part in (old, new):
        rows: Any = [decision_row(one) for one in part if isinstance(one, Decision)]
        sourced = [Sourced(place, 1, row) for place, row in enumerate(rows)]
        await shop.recorded.put_decisions(Source(shop.wiring.topic(DECISIONS), len(rows), 90, 1), sourced)
    await shop.write([decision(500, NOON + timedelta(minutes=5))])
    before = await shop.rows()
    done = await shop.rebuild()
    assert (await shop.rows(), done.replaced, done.kept) == (before, (), (day(1), day(0)))


async def test_what_recorders_write_meanwhile_is_there_and_readers_miss_nothing(shop: Shop) -> None:
    made = records(400)
    await shop.record(made, await shop.write(made))
    done, least = asyncio.Event(), 400

    async def go_on() -> None:
        start = 1000
        while not done.is_set():
            more = records(10, start=start)
            await shop.record(more, await shop.write(more))
            made.extend(more)
            start += 10
            await asyncio.sleep(0.02)  # as fast as it can, it would be a race that a slow machine does not end

    async def read() -> None:
        while not done.is_set():
            assert await shop.pool.fetchval("select count(*) from recorded_decisions") >= least
            await asyncio.sleep(0)

    others = [asyncio.ensure_future(go_on()), asyncio.ensure_future(read())]
    for _ in range(3):
        await shop.rebuild()
    done.set()
    await asyncio.gather(*others)
    assert len(made) > 900
    assert (await shop.rows(), await differing(shop.pool)) == (expected(made), [])


async def test_where_recorders_are_behind_what_is_ahead_of_them_is_kept_once(shop: Shop) -> None:
    made = records(200)
    places = await shop.write(made)
    await shop.record(made[:150], places[:150])
    await shop.rebuild()
    assert await shop.rows() == expected(made)
    await shop.record(made[100:], places[100:])
    assert (await shop.rows(), await differing(shop.pool)) == (expected(made), [])


@pytest.mark.parametrize("at", ["begun", "read", "half of the days"])
async def test_one_that_was_killed_leaves_the_read_models_whole_and_the_next_begins_anew(shop: Shop, at: str) -> None:
    """A killed process puts nothing in order on the way out."""
    made = records(200)
    places = await shop.write(made)
    await shop.record(made, places)
    dead, writer = Rebuild(shop.pool, "dead"), Rebuilt(shop.pool, KEEP, "dead")
    await dead.begin("ann")
    if at != "begun":
        for one, place in zip(made[:300], places, strict=False):
            topic = shop.wiring.topic(DECISIONS if isinstance(one, Decision) else DELIVERY_STATUS)
            source = Source(topic, place.partition, place.offset + 1, 1)
            row: Any = decision_row(one) if isinstance(one, Decision) else status_row(one)
            put = writer.put_decisions if isinstance(one, Decision) else writer.put_statuses
            await put(source, [Sourced(place.offset, 1, row)])
    if at == "half of the days":
        for ago in (3, 2):
            await dead.replace(day(ago), nothing)
    assert await shop.rows() == expected(made)
    left = await unfinished_rebuild(shop.pool)
    assert left is not None and left.begun_by == "ann"
    await shop.rebuild()
    assert (await shop.rows(), await shop.is_clean(), await differing(shop.pool)) == (expected(made), True, [])
    with pytest.raises(TidingsError, match="somebody else has begun to rebuild"):
        await dead.end()


async def nothing() -> None:
    """All is in already."""


async def test_of_two_the_later_goes_on(shop: Shop) -> None:
    made = records(60)
    await shop.record(made, await shop.write(made))
    done = await asyncio.gather(shop.rebuild(), shop.rebuild(), return_exceptions=True)
    ended = [one for one in done if isinstance(one, Exception)]
    assert len(ended) == 1 and "somebody else has begun to rebuild" in str(ended[0])
    assert (await shop.rows(), await shop.is_clean()) == (expected(made), True)


async def test_a_day_that_somebody_reads_is_not_replaced_and_nothing_is_halved(shop: Shop) -> None:
    made = records(40)
    await shop.record(made, await shop.write(made))
    rebuild = Rebuild(shop.pool, "run")
    await rebuild.begin("ann")
    async with shop.pool.acquire() as reader, reader.transaction():
        await reader.fetch("select 1 from recorded_statuses")
        with pytest.raises(TryLater):
            await rebuild.replace(day(0), nothing)
    assert await shop.rows() == expected(made)


async def test_who_is_erased_while_they_are_made_anew_is_blanked_in_them(shop: Shop) -> None:
    made = records(14, days=1)
    await shop.record(made, await shop.write(made))
    rebuild, writer = Rebuild(shop.pool, "run"), Rebuilt(shop.pool, KEEP, "run")
    await rebuild.begin("ann")
    rows: Any = [decision_row(one) for one in made if isinstance(one, Decision)]
    ends: Any = [status_row(one) for one in made if isinstance(one, DeliveryStatus)]
    await writer.put_decisions(Source("d", 0, 14, 1), [Sourced(place, 1, row) for place, row in enumerate(rows)])
    await writer.put_statuses(Source("s", 0, 14, 1), [Sourced(place, 1, row) for place, row in enumerate(ends)])
    await Erasure(shop.pool).note({Keyed("shop", "c0"): NOON + timedelta(hours=12)})
    await rebuild.replace(day(0), nothing)
    said = await shop.pool.fetch("select customer_id, checks from recorded_decisions")
    assert {row["customer_id"] for row in said if row["checks"] == "[]"} == {"c0"}
    said = await shop.pool.fetch("select customer_id, detail from recorded_statuses")
    assert {row["customer_id"] for row in said if row["detail"] == ""} == {"c0"}
    assert len(said) == 14
