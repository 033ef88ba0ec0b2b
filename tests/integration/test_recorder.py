"""Read models of decisions and ends of deliveries: by the day of the event, each once, whoever writes and dies when."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from agents.recorded_rows import decision_row, status_row
from schemas.decision import Check, Decision, DeliveryStatus
from schemas.delivery import DistributionRef, EventRef
from schemas.errors import BadRecord, InvalidEvent
from schemas.record_key import Keyed
from store.erasure import Erasure
from store.read_models.recorded import BEYOND, DAYS_AHEAD, Put, Recorded, Row, Source, Sourced
from tests.counted import differing

KEEP = timedelta(days=90)
NOW = datetime.now(UTC)
TOPIC = "shop.decisions"


def decision(number: int = 0, at: datetime = NOW, **changes: Any) -> Decision:
    given: dict[str, Any] = {
        "decision_id": f"dec_{number:032x}",
        "project_id": "shop",
        "distribution": DistributionRef(id="thanks", version=3, name="Thanks"),
        "event": EventRef(id=f"ev{number}", type="customer.order.paid", created_at=at),
        "customer_id": f"c{number % 7}",
        "outcome": "skipped",
        "reason": "consent",
        "detail": "customer.consents.marketing is false",
        "channel": "email",
        "checks": [Check(test="order.amount at_least 1000", passed=True, seen="1500")],
        "decided_at": at,
    }
    return Decision(**(given | changes))


def status(number: int = 0, at: datetime = NOW, **changes: Any) -> DeliveryStatus:
    given: dict[str, Any] = {
        "delivery_id": f"dlv_{number:032x}",
        "project_id": "shop",
        "distribution": DistributionRef(id="thanks", version=3, name="Thanks"),
        "event": EventRef(id=f"ev{number}", type="customer.order.paid", created_at=at),
        "customer_id": f"c{number % 7}",
        "channel": "email",
        "account": "main",
        "type": "customer.email.sent",
        "outcome": "sent",
        "detail": "250 ok",
        "provider_id": "p1",
        "attempts": 1,
        "occurred_at": at,
    }
    return DeliveryStatus(**(given | changes))


def sourced(rows: Sequence[Row], start: int = 0) -> list[Sourced]:
    return [Sourced(start + place, 1_000 + start + place, row) for place, row in enumerate(rows)]


async def put(
    recorded: Recorded, records: Sequence[Decision | DeliveryStatus], start: int = 0, partition: int = 0
) -> Put:
    """Records of one kind, at the offsets from `start` on."""
    rows: list[Row] = [decision_row(one) if isinstance(one, Decision) else status_row(one) for one in records]
    into = recorded.put_decisions if isinstance(records[0], Decision) else recorded.put_statuses
    topic = TOPIC if isinstance(records[0], Decision) else "shop.delivery.status"
    end = start + len(rows)
    return await into(Source(topic, partition, end, 999 + end), sourced(rows, start))


async def count(pool: asyncpg.Pool, table: str = "recorded_decisions") -> int:
    found: int = await pool.fetchval(f"select count(*) from {table}")  # noqa: S608
    return found


@pytest.mark.parametrize("make", [decision, status])
async def test_a_record_is_one_row_however_often_it_is_read_or_made_again(pool: asyncpg.Pool, make: Any) -> None:
    recorded = Recorded(pool, KEEP)
    first = [make(number) for number in range(5)]
    assert await put(recorded, first) == Put(new=5)
    assert await put(recorded, first) == Put(known=5), "the same offsets are in"
    assert await put(recorded, [*first[1:], make(5)], start=5) == Put(new=1, known=4), "a replay meets its rows"
    table = "recorded_decisions" if make is decision else "recorded_statuses"
    assert await count(pool, table) == 6


async def test_the_last_word_on_an_id_counts_and_the_row_stays_the_same(pool: asyncpg.Pool) -> None:
    recorded = Recorded(pool, KEEP)
    await put(recorded, [decision(outcome="deferred", reason="no_code")])
    made_at = await pool.fetchval("select recorded_at from recorded_decisions")
    later = decision(outcome="emitted", reason=None, detail=None, decided_at=NOW + timedelta(hours=5), delivery_id="d")
    assert await put(recorded, [decision(outcome="deferred", reason="no_code"), later], start=1) == Put(known=2)
    (row,) = await pool.fetch("select outcome, reason, delivery_id, recorded_at from recorded_decisions")
    assert tuple(row) == ("emitted", None, "d", made_at)


async def test_a_delivery_that_fails_again_has_two_ends(pool: asyncpg.Pool) -> None:
    recorded = Recorded(pool, KEEP)
    ends = [status(outcome="failed"), status(outcome="failed", occurred_at=NOW + timedelta(hours=1))]
    assert await put(recorded, [*ends, ends[0]]) == Put(new=2, known=1)


async def test_a_row_is_of_the_day_of_its_event_or_of_the_moment_that_it_was_due(pool: asyncpg.Pool) -> None:
    recorded = Recorded(pool, KEEP)
    event, due = NOW - timedelta(days=40), NOW - timedelta(days=3)
    await put(recorded, [decision(1, event, decided_at=NOW), decision(2, event, due_at=due, decided_at=NOW)])
    found = await pool.fetch(
        "select day, tableoid::regclass::text as part from recorded_decisions order by decision_id"
    )
    days = [event.date(), due.date()]
    assert [tuple(row) for row in found] == [(day, f"recorded_decisions_{day:%Y%m%d}") for day in days]


async def test_what_comes_after_its_day_was_dropped_is_counted_and_not_stored(pool: asyncpg.Pool) -> None:
    recorded = Recorded(pool, KEEP)
    old = NOW - KEEP - timedelta(days=2)
    assert await put(recorded, [decision(1, old), decision(2), decision(3, datetime.min.replace(tzinfo=UTC))]) == Put(
        new=1, late=2
    )
    assert await put(recorded, [decision(1, old)]) == Put(known=1), "read again it is not counted again"
    assert await pool.fetchval("select late from recorded_positions") == 2
    assert await pool.fetchval("select count(*) from pg_class where relname ~ '^recorded_decisions_[0-9]{8}$'") == 1


async def test_a_day_is_dropped_whole_and_the_others_stay(pool: asyncpg.Pool) -> None:
    days = [decision(number, NOW - timedelta(days=10 * number)) for number in range(4)]
    await put(Recorded(pool, KEEP), days)
    await put(Recorded(pool, KEEP), [status(number, NOW - timedelta(days=10 * number)) for number in range(4)])
    short = Recorded(pool, timedelta(days=15), each=timedelta())
    assert await short.tidy() == 4
    assert await short.tidy() == 0
    for table in ("recorded_decisions", "recorded_statuses"):
        found = await pool.fetch(f"select day from {table} order by day")  # noqa: S608
        assert [row["day"] for row in found] == sorted((NOW - timedelta(days=age)).date() for age in (0, 10))


async def test_a_day_that_somebody_reads_is_dropped_later(pool: asyncpg.Pool) -> None:
    await put(Recorded(pool, KEEP), [decision(1, NOW - timedelta(days=30))])
    short = Recorded(pool, timedelta(days=15), each=timedelta())
    async with pool.acquire() as reader, reader.transaction():
        await reader.fetch("select 1 from recorded_decisions")
        assert await short.tidy() == 0
        assert await asyncio.wait_for(put(short, [decision(2)], start=1), 60) == Put(new=1)
    assert await short.tidy() == 1


@pytest.mark.parametrize(
    "at", [datetime(9999, 12, 31, tzinfo=UTC), datetime.max.replace(tzinfo=UTC), NOW + timedelta(days=DAYS_AHEAD + 2)],
    ids=["the last day", "what asyncpg takes for infinity", "a month"],
)  # fmt: skip
async def test_what_is_dated_far_ahead_is_kept_without_a_day_of_its_own(pool: asyncpg.Pool, at: datetime) -> None:
    recorded = Recorded(pool, KEEP)
    assert await put(recorded, [decision(1, at, decided_at=NOW, until=at), decision(2)]) == Put(new=2)
    row = await pool.fetchrow("select day, event_at, until_at from recorded_decisions where decision_id like '%1'")
    assert row is not None and tuple(value.replace(tzinfo=UTC) for value in row[1:]) == (at, at)
    assert row["day"] == BEYOND
    assert await recorded.tidy() == 0
    assert await put(recorded, [decision(1, at, decided_at=NOW)], start=2) == Put(known=1)


async def test_what_was_far_ahead_meets_its_row_when_its_day_comes(pool: asyncpg.Pool) -> None:
    recorded = Recorded(pool, KEEP)
    await put(recorded, [decision(1)])
    await pool.execute("update recorded_decisions set day = 'infinity'")  # as if it had been read a month ago
    assert await put(recorded, [decision(1)], start=1) == Put(known=1)
    assert await count(pool) == 1


async def test_texts_that_postgres_refuses_are_kept_as_far_as_it_can(pool: asyncpg.Pool) -> None:
    recorded = Recorded(pool, KEEP)
    bad = "a\0b\N{GRINNING FACE}"
    checks = [Check(test="customer.name is x", passed=False, seen=bad)]
    assert await put(recorded, [decision(1, detail=bad, arm=bad, customer_id=bad, checks=checks)]) == Put(new=1)
    assert await put(recorded, [status(1, detail=bad, provider_id=bad, account=bad)]) == Put(new=1)
    row = await pool.fetchrow(
        "select customer_id, detail, arm, checks::json->0->>'passed' as passed from recorded_decisions"
    )
    clean = bad.replace("\0", "\N{REPLACEMENT CHARACTER}")
    assert row is not None and tuple(row) == (clean, clean, clean, "false")


def test_a_time_that_no_calendar_has_is_refused_by_name() -> None:
    at = datetime.fromisoformat("9999-12-31T23:59:59-05:00")
    with pytest.raises(InvalidEvent, match="out of the calendar's range"):
        decision_row(decision(1, at))


def test_a_time_without_a_zone_is_in_utc() -> None:
    assert decision_row(decision(1, datetime(2026, 3, 29, 2, 30))).event_at == datetime(2026, 3, 29, 2, 30, tzinfo=UTC)


async def test_many_recorders_need_the_same_new_days_at_once_and_make_each_once(pool: asyncpg.Pool) -> None:
    """Different partitions, the same days, in other orders."""
    rng, recorders = random.Random(3), [Recorded(pool, KEEP) for _ in range(8)]
    chunks = []
    for partition in range(8):
        made = [decision(partition * 100 + place, NOW - timedelta(days=place % 20)) for place in range(60)]
        rng.shuffle(made)
        chunks.append(made)
    done = await asyncio.gather(
        *(
            put(recorder, chunk, partition=place)
            for place, (recorder, chunk) in enumerate(zip(recorders, chunks, strict=True))
        )
    )
    assert sum(one.new for one in done) == await count(pool) == 480
    assert await pool.fetchval("select count(*) from pg_class where relname ~ '^recorded_decisions_[0-9]{8}$'") == 20


async def test_two_who_have_the_same_partition_write_each_record_once(pool: asyncpg.Pool) -> None:
    """One that was frozen has lost its partition and does not know."""
    records = [decision(number) for number in range(400)]
    slow, quick = Recorded(pool, KEEP), Recorded(pool, KEEP)
    chunks = [(start, records[start : start + 50]) for start in range(0, 400, 50)]

    async def work(recorded: Recorded) -> int:
        return sum([(await put(recorded, chunk, start=start)).new for start, chunk in chunks])

    assert sum(await asyncio.gather(work(slow), work(quick))) == await count(pool) == 400
    assert await pool.fetchval("select next_offset from recorded_positions") == 400


async def test_writers_that_meet_on_rows_in_other_orders_end_without_a_loss(pool: asyncpg.Pool) -> None:
    """The same ids from two partitions: nothing of ours does this, a copy of the topics may."""
    ids, rng = list(range(200)), random.Random(5)
    recorders = [Recorded(pool, KEEP) for _ in range(4)]
    for turn in range(5):
        chunks = []
        for _ in recorders:
            rng.shuffle(ids)
            chunks.append([decision(number, decided_at=NOW + timedelta(seconds=rng.random())) for number in ids])
        jobs = (
            put(recorder, chunk, start=turn * 200, partition=place)
            for place, (recorder, chunk) in enumerate(zip(recorders, chunks, strict=True))
        )
        await asyncio.gather(*jobs)
    assert await count(pool) == 200


async def test_a_topic_that_was_made_anew_is_read_though_its_offsets_are_low(pool: asyncpg.Pool) -> None:
    recorded = Recorded(pool, KEEP)
    await put(recorded, [decision(number) for number in range(10)])
    source = Source(TOPIC, 0, 1, 5_000)
    assert await recorded.put_decisions(source, [Sourced(0, 5_000, decision_row(decision(77)))]) == Put(new=1)


async def test_a_number_that_no_column_holds_is_refused_and_what_follows_is_kept(pool: asyncpg.Pool) -> None:
    recorded = Recorded(pool, KEEP)
    with pytest.raises(BadRecord, match="too large"):
        await put(recorded, [status(1), status(2, attempts=2**63)])
    assert await put(recorded, [status(1), status(2, attempts=2**63 - 1)]) == Put(new=2)
    with pytest.raises(BadRecord):
        await put(recorded, [decision(1, distribution=DistributionRef(id="thanks", version=2**63, name="Thanks"))])


async def test_nothing_is_left_where_chunks_are_staged(dsn: str, pool: asyncpg.Pool) -> None:
    async with asyncpg.create_pool(dsn, min_size=1, max_size=1) as one:
        recorded = Recorded(one, KEEP)
        await put(recorded, [decision(1), decision(2)])
        assert await one.fetchval("select count(*) from pg_temp.staged_counts_1") == 0
        assert await put(recorded, [decision(2), decision(3)], start=2) == Put(new=1, known=1)
        assert await one.fetchval("select count(*) from pg_temp.staged_decisions_1") == 0


async def test_rows_are_compared_with_those_that_are_there_only_where_some_are_known(
    dsn: str, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[int] = []
    stage = Recorded._stage

    async def staged(self: Recorded, connection: asyncpg.Connection, table: str, rows: Any) -> None:
        compared.append(len(rows))
        await stage(self, connection, table, rows)

    monkeypatch.setattr(Recorded, "_stage", staged)
    recorded = Recorded(pool, KEEP)
    assert await put(recorded, [decision(1), decision(1, detail="again"), decision(2)]) == Put(new=2, known=1)
    assert compared == [], "the last of each id is new"
    assert await put(recorded, [decision(2), decision(3)], start=3) == Put(new=1, known=1)
    assert compared == [2]
    await put(recorded, [decision(4)], start=5)
    assert compared == [2, 1], "replays come in a row"
    await put(recorded, [decision(5)], start=6)
    assert compared == [2, 1], "and end"
    await put(recorded, [decision(4), decision(6)], start=7)
    assert compared == [2, 1, 2]
    assert await count(pool) == 6
    assert await differing(pool) == []


async def test_what_was_copied_is_found_again_by_a_process_that_knows_nothing_of_it(pool: asyncpg.Pool) -> None:
    far = NOW + timedelta(days=DAYS_AHEAD + 5)
    for table, made in (
        ("recorded_decisions", [decision(1), decision(2, far)]), ("recorded_statuses", [status(1), status(2, far)])
    ):  # fmt: skip
        assert await put(Recorded(pool, KEEP), made) == Put(new=2)
        assert await put(Recorded(pool, KEEP), made, start=2, partition=1) == Put(known=2)
        assert await count(pool, table) == 2
    assert await differing(pool) == []


async def test_ends_have_the_indexes_that_are_asked_and_counts_have_room(pool: asyncpg.Pool) -> None:
    await put(Recorded(pool, KEEP), [status(1)])
    indexes = "select indexname from pg_indexes where tablename = any($1::text[]) order by 1"
    for prefix in ("recorded", "rebuilt"):
        found = [row["indexname"] for row in await pool.fetch(indexes, [f"{prefix}_statuses"])]
        assert len(found) == 3, found  # of the key, of a customer, and of the few that have a code
    rows = await pool.fetch("select reloptions from pg_class where relname ~ '^recorded_statuses_by_minute_[0-9]{8}$'")
    assert [row["reloptions"] for row in rows] == [["fillfactor=40"]]


async def test_projects_with_the_same_ids_do_not_meet(pool: asyncpg.Pool) -> None:
    assert await put(Recorded(pool, KEEP), [decision(1), decision(1, project_id="outlet")]) == Put(new=2)


async def test_nothing_but_ids_is_left_of_an_erased_customer_nor_comes_back(pool: asyncpg.Pool) -> None:
    recorded, before = Recorded(pool, KEEP), NOW - timedelta(days=1)
    await put(recorded, [decision(0, before), decision(1, before)])
    await put(recorded, [status(0, before), status(1, before)])
    await Erasure(pool).note({Keyed("shop", "c0"): NOW - timedelta(hours=1)})
    await put(recorded, [decision(7, before), decision(0, before, detail="again"), decision(14, NOW)], start=2)
    await put(recorded, [status(7, before), status(14, NOW)], start=2)
    rows = await pool.fetch("select event_id, detail, checks from recorded_decisions where customer_id = 'c0'")
    said = {row["event_id"]: (row["detail"], row["checks"]) for row in rows}
    assert said.pop("ev14") == ("customer.consents.marketing is false", decision_row(decision()).checks)
    assert said == {"ev0": (None, "[]"), "ev7": (None, "[]")}
    rows = await pool.fetch("select event_id, detail, provider_id from recorded_statuses where customer_id = 'c0'")
    told = {row["event_id"]: (row["detail"], row["provider_id"]) for row in rows}
    assert told == {"ev0": ("", None), "ev7": ("", None), "ev14": ("250 ok", "p1")}
    assert await pool.fetchval("select detail from recorded_decisions where customer_id = 'c1'")


async def test_what_is_written_while_a_customer_is_erased_is_blanked_as_well(pool: asyncpg.Pool) -> None:
    """The erasure waits for the transaction that has not seen it."""
    before = NOW - timedelta(days=1)
    async with pool.acquire() as writer, writer.transaction():
        await writer.fetch("select pg_advisory_xact_lock_shared(hashtextextended('recorded_erasures', 0))")
        await put(Recorded(pool, KEEP), [decision(0, before)])
        erasing = asyncio.ensure_future(Erasure(pool).note({Keyed("shop", "c0"): NOW}))
        while not await pool.fetchval(
            "select exists (select from pg_locks where locktype = 'advisory' and not granted)"
        ):
            await asyncio.sleep(0.01)
        assert await pool.fetchval("select detail from recorded_decisions")
    await asyncio.wait_for(erasing, 60)
    assert await pool.fetchval("select detail is null and checks = '[]' from recorded_decisions")


def test_the_day_beyond_is_what_postgres_has_as_infinity() -> None:
    assert date.max == BEYOND
