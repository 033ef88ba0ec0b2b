"""Counts of recorded rows: those of the rows, whatever is told anew, replayed, killed or done at once."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from schemas.decision import Decision, DeliveryStatus
from schemas.delivery import EventRef
from schemas.errors import TryLater
from schemas.record_key import Keyed
from store.erasure import Erasure
from store.migrate import migrate
from store.read_models.counts import Count, CountFilter, counts
from store.read_models.recorded import Recorded
from tests.counted import differing
from tests.integration.test_migrations import earlier
from tests.integration.test_recorder import KEEP, NOW, decision, put, status

Told = Decision | DeliveryStatus
MINUTE = NOW.replace(second=0, microsecond=0)


async def total(pool: asyncpg.Pool, table: str = "decisions") -> dict[tuple[str, str], int]:
    """Counts of a table by outcome and reason, those that are 0 as well."""
    rows = await pool.fetch(
        f"select outcome, reason, sum(count)::bigint as count from recorded_{table}_by_minute group by 1, 2"  # noqa: S608
    )
    return {(row["outcome"], row["reason"]): row["count"] for row in rows}


@pytest.mark.parametrize("make", [decision, status])
async def test_new_rows_are_counted_and_those_that_are_known_are_not(pool: asyncpg.Pool, make: Any) -> None:
    recorded = Recorded(pool, KEEP)
    first: list[Told] = [make(number) for number in range(5)]
    for start, records in ((0, first), (0, first), (5, [*first[1:], make(5)]), (10, [make(6), make(6)])):
        await put(recorded, records, start)
    assert sum((await total(pool, "decisions" if make is decision else "statuses")).values()) == 7
    assert await differing(pool) == []


async def test_what_is_absent_and_what_is_empty_are_counted_together(pool: asyncpg.Pool) -> None:
    await put(Recorded(pool, KEEP), [status(1), status(2, arm="")])
    assert await pool.fetchval("select sum(count) from recorded_statuses_by_minute where arm = ''") == 2
    assert await differing(pool) == []


async def test_what_is_told_anew_leaves_the_count_that_it_was_in(pool: asyncpg.Pool) -> None:
    recorded = Recorded(pool, KEEP)
    await put(recorded, [decision(1, outcome="deferred", reason="no_code", channel=None), decision(2)])
    await put(recorded, [decision(1, outcome="emitted", reason=None, arm="b")], start=2)
    assert await total(pool) == {("deferred", "no_code"): 0, ("skipped", "consent"): 1, ("emitted", ""): 1}
    await put(recorded, [decision(1, outcome="emitted", reason=None, arm="b", detail="in other words")], start=3)
    await put(recorded, [decision(1, NOW + timedelta(minutes=5), outcome="skipped", reason="capped")], start=4)
    assert await total(pool) == {
        ("deferred", "no_code"): 0, ("skipped", "consent"): 1, ("emitted", ""): 0, ("skipped", "capped"): 1,
    }  # fmt: skip
    assert await differing(pool) == []


async def test_a_failure_whose_reason_is_told_anew_is_moved_as_well(pool: asyncpg.Pool) -> None:
    recorded = Recorded(pool, KEEP)
    await put(recorded, [status(1, outcome="failed", reason=None)])
    await put(recorded, [status(1, outcome="failed", reason="no_address")], start=1)
    assert await total(pool, "statuses") == {("failed", ""): 0, ("failed", "no_address"): 1}
    assert await differing(pool) == []


async def test_a_row_that_another_source_tells_anew_is_counted_once(pool: asyncpg.Pool) -> None:
    """Nothing of ours does this, a copy of the topics may."""
    await put(Recorded(pool, KEEP), [decision(1)], partition=0)
    await put(Recorded(pool, KEEP), [decision(1, outcome="emitted", reason=None)], partition=1)
    by_source = await pool.fetch("select outcome, count from recorded_decisions_by_minute order by source, outcome")
    assert [tuple(row) for row in by_source] == [("skipped", 1), ("emitted", 1), ("skipped", -1)]
    assert await differing(pool) == []
    [found] = await counts(pool, "decisions", CountFilter("shop", MINUTE))
    assert (found.outcome, found.records) == ("emitted", 1)


async def test_recorders_do_not_wait_for_the_counts_of_others(pool: asyncpg.Pool) -> None:
    await put(Recorded(pool, KEEP), [decision(1)], partition=0)
    async with pool.acquire() as other, other.transaction():
        await other.execute("update recorded_decisions_by_minute set count = count")
        await asyncio.wait_for(put(Recorded(pool, KEEP), [decision(2)], partition=1), 60)
    assert await differing(pool) == []


def _told(rng: random.Random, number: int) -> Told:
    """A record of one of some ids, told otherwise each time."""
    at = NOW - timedelta(minutes=number % 3, days=number % 2)
    if rng.random() < 0.4:
        return status(
            number, at, outcome=rng.choice(["sent", "failed"]), reason=rng.choice([None, "expired"]),
            arm=rng.choice([None, "a"]), attempts=rng.randrange(3),
        )  # fmt: skip
    outcome, reason = rng.choice(
        [("emitted", None), ("skipped", "capped"), ("skipped", "consent"), ("deferred", "no_code")]
    )
    return decision(
        number, at, outcome=outcome, reason=reason, channel=rng.choice([None, "email", "sms"]),
        arm=rng.choice([None, "a", "b"]), decided_at=NOW + timedelta(seconds=rng.random()),
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
async def test_they_are_exact_under_kills_replays_and_partitions_that_change_hands(
    pool: asyncpg.Pool, seed: int
) -> None:
    """Four partitions of few ids, each read by two who do not know of each other; either dies again and again."""
    rng = random.Random(seed)
    logs: list[list[Sequence[Told]]] = []
    for _ in range(4):
        records = [_told(rng, rng.randrange(40)) for _ in range(160)]
        decisions = [one for one in records if isinstance(one, Decision)]
        statuses = [one for one in records if isinstance(one, DeliveryStatus)]
        logs.append([decisions, statuses])

    async def read(partition: int, kills: random.Random) -> None:
        recorded = Recorded(pool, KEEP)
        for log in logs[partition]:
            start = 0
            while start < len(log):
                size = kills.randrange(1, 30)
                work = asyncio.ensure_future(put(recorded, log[start : start + size], start, partition))
                if kills.random() < 0.4:
                    await asyncio.sleep(kills.random() * 0.01)
                    work.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await work
                    start = max(0, start - kills.randrange(20))  # read again from what was committed
                else:
                    await work
                    start += size

    await asyncio.gather(
        *(read(partition, random.Random(f"{seed}{partition}{who}")) for partition in range(4) for who in range(2))
    )
    assert await differing(pool) == []
    rows = await pool.fetchval(
        "select (select count(*) from recorded_decisions) + (select count(*) from recorded_statuses)"
    )
    assert sum((await total(pool)).values()) + sum((await total(pool, "statuses")).values()) == rows


async def test_a_connection_that_is_cut_inside_the_transaction_leaves_nothing_behind(pool: asyncpg.Pool) -> None:
    async with pool.acquire() as holder, holder.transaction():
        await holder.execute("lock table recorded_decisions_by_minute in exclusive mode")
        work = asyncio.ensure_future(put(Recorded(pool, KEEP), [decision(1), decision(2)]))
        waiting = "select pid from pg_locks where not granted and relation = 'recorded_decisions_by_minute'::regclass"
        while not (pid := await holder.fetchval(waiting)):
            await asyncio.sleep(0.01)
        await holder.execute("select pg_terminate_backend($1)", pid)
        with pytest.raises(TryLater):
            await work
    assert await pool.fetchval("select count(*) from recorded_decisions") == 0
    await put(Recorded(pool, KEEP), [decision(1), decision(2)])
    assert await total(pool) == {("skipped", "consent"): 2}
    assert await differing(pool) == []


async def test_what_had_waited_counts_in_the_minute_at_which_it_was_due(pool: asyncpg.Pool) -> None:
    due = NOW - timedelta(hours=3)
    recorded = Recorded(pool, KEEP)
    await put(recorded, [decision(1, NOW - timedelta(days=2), due_at=due)])
    await put(recorded, [status(1, NOW - timedelta(days=2), due_at=due)])
    minutes = "select minute from recorded_decisions_by_minute union all select minute from recorded_statuses_by_minute"
    assert [row["minute"] for row in await pool.fetch(minutes)] == [due.replace(second=0, microsecond=0)] * 2
    assert await differing(pool) == []


async def test_what_is_dated_far_ahead_is_counted_beside_its_row(pool: asyncpg.Pool) -> None:
    recorded = Recorded(pool, KEEP)
    far = NOW + timedelta(days=400)
    await put(recorded, [decision(1, far), decision(2, datetime.max.replace(tzinfo=UTC)), decision(3)])
    await put(recorded, [decision(1, far, outcome="emitted", reason=None)], start=3)
    assert await differing(pool) == []
    chosen = CountFilter("shop", NOW + timedelta(days=300), NOW + timedelta(days=500))
    [ahead] = await counts(pool, "decisions", chosen)
    assert (ahead.outcome, ahead.records) == ("emitted", 1)


async def test_a_day_is_dropped_with_its_counts(pool: asyncpg.Pool) -> None:
    old = NOW - timedelta(days=20)
    await put(Recorded(pool, KEEP), [decision(1, old), decision(2)])
    await put(Recorded(pool, KEEP), [status(1, old), status(2)])
    short = Recorded(pool, timedelta(days=15), each=timedelta())
    async with pool.acquire() as reader, reader.transaction():
        await reader.fetch("select 1 from recorded_decisions_by_minute")
        await reader.fetch("select 1 from recorded_statuses_by_minute")
        assert await short.tidy() == 0
        assert await differing(pool) == [], "neither goes without the other"
    assert await short.tidy() == 2
    assert await differing(pool) == []
    assert sum((await total(pool)).values()) == sum((await total(pool, "statuses")).values()) == 1
    assert await short.tidy() == 0


async def test_what_comes_after_its_day_was_dropped_is_not_counted(pool: asyncpg.Pool) -> None:
    await put(Recorded(pool, KEEP), [decision(1, NOW - KEEP - timedelta(days=2)), decision(2)])
    assert sum((await total(pool)).values()) == 1
    assert await differing(pool) == []


async def test_an_erasure_leaves_counts_as_they_are(pool: asyncpg.Pool) -> None:
    before = NOW - timedelta(days=1)
    recorded = Recorded(pool, KEEP)
    await put(recorded, [decision(0, before), decision(7, before)])
    known = await total(pool)
    await Erasure(pool).note({Keyed("shop", "c0"): NOW})
    assert await total(pool) == known
    await put(recorded, [decision(0, before, outcome="emitted", reason=None, detail="again")], start=2)
    assert await total(pool) == {("skipped", "consent"): 1, ("emitted", ""): 1}
    assert await differing(pool) == []


async def test_what_was_recorded_before_there_were_counts_is_counted_by_the_migration(
    empty_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = await earlier(empty_dsn, tmp_path, monkeypatch, last=57)
    await pool.execute(_AS_BEFORE)
    assert "0058_counts" in await migrate(pool, "shop")
    assert await differing(pool) == []
    assert await total(pool) == {("emitted", ""): 2, ("skipped", "capped"): 1}
    assert await total(pool, "statuses") == {("sent", ""): 2}
    await put(Recorded(pool, timedelta(days=36_500)), [decision(9, datetime(2026, 11, 20, 12, tzinfo=UTC))])
    assert await differing(pool) == []
    await pool.close()


_AS_BEFORE = """
select make_recorded_days('recorded_decisions', array['2026-11-20', '2026-11-21']::date[]),
       make_recorded_days('recorded_statuses', array['2026-11-20']::date[]);
insert into recorded_decisions (day, project_id, decision_id, distribution_id, distribution_version, distribution_name,
    event_id, event_type, event_at, customer_id, outcome, reason, channel, due_at, checks, decided_at, recorded_at)
select day, 'shop', 'dec_' || n, 'thanks', 1, 'Thanks', 'ev' || n, 't', at, 'c1', outcome, reason, channel, due, '[]',
       at, now()
from (values (1, date '2026-11-20', timestamptz '2026-11-20 12:00:01Z', null::timestamptz, 'emitted', null, 'email'),
             (2, '2026-11-21', '2026-11-20 12:00:59Z', '2026-11-21 08:00Z', 'emitted', null, 'email'),
             (3, 'infinity', '9999-12-31Z', null, 'skipped', 'capped', null))
     as v (n, day, at, due, outcome, reason, channel);
insert into recorded_statuses (day, project_id, delivery_id, outcome, occurred_at, distribution_id,
    distribution_version, distribution_name, event_id, event_type, event_at, customer_id, channel, account, type,
    detail, attempts, recorded_at)
select '2026-11-20', 'shop', 'dlv_' || n, 'sent', '2026-11-20 12:01Z', 'thanks', 1, 'Thanks', 'ev', 't',
       '2026-11-20 12:00Z', 'c1', 'email', 'main', 'customer.email.sent', '', 1, now()
from generate_series(1, 2) as n;
"""


def other(one: Decision, distribution: str, send: str | None = None) -> Decision:
    """The same of another distribution, with an id of its own."""
    event = EventRef(id=one.event.id, type=one.event.type, created_at=one.event.created_at, send_id=send)
    ref = msgspec.structs.replace(one.distribution, id=distribution)
    return msgspec.structs.replace(one, decision_id=f"{one.decision_id}-{distribution}", distribution=ref, event=event)


async def test_they_are_read_for_a_range_of_minutes_kept_apart_as_asked(pool: asyncpg.Pool) -> None:
    recorded = Recorded(pool, KEEP)
    made = [
        decision(1), decision(2, channel="sms", arm="b"), decision(3, NOW - timedelta(hours=2)),
        decision(4, outcome="emitted", reason=None), other(decision(5), "winback"),
        other(decision(6, outcome="emitted", reason=None), "news", "snd_1"), decision(7, project_id="outlet"),
    ]  # fmt: skip
    await put(recorded, made)

    async def asked(*by: Any, since: datetime = MINUTE, **chosen: Any) -> list[tuple[Any, ...]]:
        found = await counts(pool, "decisions", CountFilter("shop", since, **chosen), by)
        return [tuple(value for value in row if value is not None) for row in found]

    assert await asked() == [("emitted", 2), ("skipped", 3)]
    assert await asked(since=MINUTE - timedelta(hours=3), until=MINUTE) == [("skipped", 1)]
    assert await asked("reason", distribution="thanks") == [("emitted", "", 1), ("skipped", "consent", 2)]
    assert await asked("channel", "arm", distribution="thanks") == [
        ("emitted", "email", "", 1), ("skipped", "email", "", 1), ("skipped", "sms", "b", 1),
    ]  # fmt: skip
    assert await asked("distribution") == [
        ("news", "emitted", 1), ("thanks", "emitted", 1), ("thanks", "skipped", 2), ("winback", "skipped", 1),
    ]  # fmt: skip
    assert await asked(send="snd_1") == [("emitted", 1)]
    assert await asked("send", distribution="news") == [("snd_1", "emitted", 1)]
    assert await counts(pool, "statuses", CountFilter("shop", MINUTE)) == []


async def test_days_begin_as_they_do_in_the_zone(pool: asyncpg.Pool) -> None:
    """The 25th of October 2026 has 25 hours in Warsaw."""
    recorded = Recorded(pool, timedelta(days=36_500))
    times = [
        "2026-10-24T21:59",
        "2026-10-24T22:00",
        "2026-10-25T00:30",
        "2026-10-25T01:30",
        "2026-10-25T22:59",
        "2026-10-25T23:00",
    ]
    await put(recorded, [decision(n, datetime.fromisoformat(f"{at}+00:00")) for n, at in enumerate(times)])

    async def series(bucket: Any, zone: str) -> list[tuple[str, int]]:
        chosen = CountFilter("shop", datetime(2026, 10, 1, tzinfo=UTC))
        rows: list[Count] = await counts(pool, "decisions", chosen, (), bucket, zone)
        return [(f"{row.at:%dT%H:%M}", row.records) for row in rows]

    assert await series("day", "Europe/Warsaw") == [("23T22:00", 1), ("24T22:00", 4), ("25T23:00", 1)]
    assert await series("day", "UTC") == [("24T00:00", 2), ("25T00:00", 4)]
    hours = await series("hour", "Europe/Warsaw")
    assert ("25T00:00", 1) in hours and ("25T01:00", 1) in hours, "the hour that there is twice"
    assert (await series("hour", "Asia/Kolkata"))[0] == ("24T21:30", 2), "half an hour beside the others"
