"""Counts of decisions in a real PostgreSQL, and what owners are told of them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import msgspec
import pytest

from agents.roles.matcher.counting import DecisionCounts
from agents.roles.sender.watch import Watch
from agents.telemetry.metrics import Metrics
from deploy.settings.workers import Watch as WatchSettings
from schemas.errors import TryLater
from store.fields_seen import FieldsSeen
from store.notices import Notices
from store.postgres import connect
from store.watching import DecisionHours
from tests.factory import rule
from tests.integration.test_notices import told

NOW = datetime.now(UTC)
THIS_HOUR = NOW.replace(minute=0, second=0, microsecond=0)
TOTAL = "select coalesce(sum(decisions), 0)::int from decisions_by_hour where reason = $1"
EMITTED, SKIPPED = ("shop", "thanks", "emitted", ""), ("shop", "thanks", "skipped", "consent")


def counts(dsn: str, instance: str = "m", most: int = 100_000) -> DecisionCounts:
    return DecisionCounts(lambda: connect(dsn, size=1), Metrics(), instance=instance, most=most)


async def live(pool: asyncpg.Pool, name: str = "thanks", status: str = "LIVE", version: int = 1) -> None:
    await pool.execute(
        "insert into distribution_versions (project_id, distribution_id, version, definition, source, applied_by,"
        " applied_at) values ('shop', $1, $2, $3::jsonb, '', 'me', now() - interval '30 days')",
        name, version, msgspec.json.encode(rule(distribution=name, status=status)).decode(),
    )  # fmt: skip


async def test_several_matchers_and_their_restarts_add_up_and_a_repeat_changes_nothing(
    dsn: str, pool: asyncpg.Pool
) -> None:
    runs = [counts(dsn, instance) for instance in ("m1", "m2", "m1")]
    for one in runs:
        one.add({EMITTED: 3, SKIPPED: 2}, NOW)
        one.add({EMITTED: 1, ("shop", "thanks", "deferred", "delayed"): 1}, NOW)
    await asyncio.gather(*(one.write() for one in runs))
    await asyncio.gather(*(one.write() for one in runs))
    assert (await pool.fetchval(TOTAL, ""), await pool.fetchval(TOTAL, "consent")) == (15, 6)
    runs[0].add({EMITTED: 1}, NOW)
    for one in runs:
        await one.close()
    assert await pool.fetchval(TOTAL, "") == 16


async def test_what_is_counted_while_postgres_is_away_is_written_later_and_bounded(
    pool: asyncpg.Pool, dsn: str
) -> None:
    where = ["postgresql://127.0.0.1:1/none"]
    one = DecisionCounts(lambda: connect(where[0], size=1), (metrics := Metrics()), instance="m", most=2)
    one.add({EMITTED: 3, SKIPPED: 2}, NOW)
    one.add({("shop", "another", "emitted", ""): 7, EMITTED: 1}, NOW)
    with pytest.raises(TryLater):
        await one.write()
    await one.close()
    where[0] = dsn
    await one.write()
    assert (await pool.fetchval(TOTAL, ""), await pool.fetchval(TOTAL, "consent")) == (4, 2)
    assert metrics.registry.get_sample_value("tidings_watch_uncounted_total") == 7
    one.add({EMITTED: 1}, NOW + timedelta(hours=2))  # the hour that is over makes room
    await one.write()
    one.add({SKIPPED: 1}, NOW + timedelta(hours=2))
    await one.close()
    assert (await pool.fetchval(TOTAL, ""), await pool.fetchval(TOTAL, "consent")) == (5, 3)


async def test_a_silent_distribution_is_told_once_and_when_it_is_over(dsn: str, pool: asyncpg.Pool) -> None:
    for name, status in (("thanks", "LIVE"), ("busy", "LIVE"), ("resting", "PAUSED")):
        await live(pool, name, status)
    one = counts(dsn)
    for hour in range(8, 24 * 8):
        at = NOW - timedelta(hours=hour)
        one.add({("shop", name, "emitted", ""): 2 for name in ("thanks", "busy", "resting")}, at)
        one.add({("shop", "thanks", "skipped", "rule_error"): 1}, NOW)
    one.add({("shop", "busy", "emitted", ""): 1}, NOW)
    await one.write()
    notices = Notices(pool, lambda notice: ["webhook:https://ops.example.com/"])
    watches = [
        Watch(DecisionHours(pool), FieldsSeen(pool), notices, WatchSettings().bounds, every=timedelta(0))
        for _ in range(3)
    ]
    for _ in range(2):
        await asyncio.gather(*(watch.look() for watch in watches))
    assert [(notice.kind, notice.about) for notice in await told(pool) if notice.kind == "distribution_silent"] == [
        ("distribution_silent", "thanks")
    ]
    one.add({EMITTED: 1}, NOW)
    await one.close()
    await watches[0].look()
    states = [notice.state for notice in await told(pool) if notice.kind == "distribution_silent"]
    assert states == ["opened", "closed"]


async def test_nothing_is_silent_because_no_matcher_writes(dsn: str, pool: asyncpg.Pool) -> None:
    await live(pool)
    one = counts(dsn)
    for hour in range(24 * 8):
        one.add({EMITTED: 2}, NOW - timedelta(hours=hour))
    await one.close()
    await pool.execute("update decisions_by_hour set hour = hour - interval '2 days'")
    await pool.execute("update decision_counters set written_at = written_at - interval '2 days'")
    watch = Watch(
        DecisionHours(pool),
        FieldsSeen(pool),
        Notices(pool, lambda notice: ()),
        WatchSettings().bounds,
        every=timedelta(0),
    )
    await watch.look()
    assert await told(pool) == []
    await pool.execute("update decision_counters set written_at = now()")
    await watch.look()
    assert [notice.kind for notice in await told(pool)] == ["distribution_silent"]


async def test_a_jump_of_one_reason_is_told_once(dsn: str, pool: asyncpg.Pool) -> None:
    await live(pool)
    one = counts(dsn)
    for hour in range(2, 24 * 8):
        one.add({EMITTED: 19, SKIPPED: 1}, NOW - timedelta(hours=hour))
    one.add({EMITTED: 20, SKIPPED: 180}, NOW)
    await one.close()
    watch = Watch(
        DecisionHours(pool),
        FieldsSeen(pool),
        Notices(pool, lambda notice: ()),
        WatchSettings().bounds,
        every=timedelta(0),
    )
    for _ in range(2):
        await watch.look()
    (notice,) = await told(pool)
    assert (notice.kind, notice.about) == ("skips_jumped", "thanks: consent")
    assert "180 of 200 cases" in notice.summary


async def test_one_process_looks_at_a_time_and_old_hours_go(dsn: str, pool: asyncpg.Pool) -> None:
    hours = DecisionHours(pool)
    begun = await asyncio.gather(*(hours.begins(timedelta(minutes=5)) for _ in range(5)))
    assert sorted(begun) == [False] * 4 + [True]
    one = counts(dsn)
    one.add({EMITTED: 1}, NOW - timedelta(days=16))
    one.add({EMITTED: 1}, NOW)
    await one.close()
    await hours.forget()
    assert await pool.fetchval(TOTAL, "") == 1
