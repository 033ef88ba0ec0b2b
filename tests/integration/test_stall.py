"""A worker that lives and moves nothing is found out; one that has nothing to do is left alone."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from agents.roles.segmenter.segmenter import build_segmenter
from agents.telemetry import measuring
from agents.telemetry.health import ProgressWatch
from agents.telemetry.metrics import Metrics
from agents.transport.app import BatchApp
from agents.wiring import Wiring
from store.behaviours import Behaviours
from store.segment_transaction import Profile
from store.segments import Segments
from tests.integration.batch_apps import DONE, never, publish, running, until


async def test_a_batch_that_never_ends_is_a_stall(wiring: Wiring, tmp_path: Path) -> None:
    async with running(wiring, tmp_path, never) as (_, watch):
        await until(watch, lambda: watch.health().status == "ok")
        assert watch.health().healthy
        await publish(wiring)
        await until(watch, lambda: watch.is_stalled() and sum(watch.health().lag.values()) == 3)
        assert not watch.health().healthy
        assert watch.health().status == "stalled"


async def test_a_recovery_that_gets_no_further_is_a_stall(
    wiring: Wiring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker is a member, has its partitions, and never fetches."""

    def break_recovery(app: BatchApp) -> None:
        waits = app.tables.recovery._wait

        async def waits_for_ever(what: Any, timeout: Any = None) -> None:
            while not DONE.is_set():
                await asyncio.sleep(0.01)
            await waits(what, timeout)

        monkeypatch.setattr(app.tables.recovery, "_wait", waits_for_ever)

    await publish(wiring)
    async with running(wiring, tmp_path, before=break_recovery) as (app, watch):
        await until(watch, lambda: bool(watch.is_stalled() and app.rebalancing))
        assert not watch.health().healthy


async def test_a_consumer_that_no_longer_fetches_is_a_stall(wiring: Wiring, tmp_path: Path) -> None:
    """Nothing is fetched, so nothing is heard of the end of the log: it has to be asked for."""
    async with running(wiring, tmp_path) as (app, watch):
        await until(watch, lambda: watch.health().status == "ok")
        app.consumer.stop_flow()
        await publish(wiring)
        await until(watch, watch.is_stalled)


async def test_a_worker_without_work_is_healthy(wiring: Wiring, tmp_path: Path) -> None:
    """More workers than partitions: the last one is a spare."""
    async with (
        running(wiring, tmp_path / "1", topic="distributions") as (one, first),
        running(wiring, tmp_path / "2", topic="distributions") as (two, second),
    ):
        await until(second, lambda: second.health().status == "ok" and not one.rebalancing and not two.rebalancing)
        await until(first, lambda: first.health().status == "ok")
        began = time.monotonic()
        await until(second, lambda: time.monotonic() > began + 3)
        await first.observe()
        assert first.health().healthy
        assert second.health().healthy
        await publish(wiring, "distributions")
        await until(first, lambda: not any((first.health().lag | second.health().lag).values()))


async def test_a_segmenter_whose_look_at_the_due_hangs_is_a_stall_though_it_has_no_lag(
    wiring: Wiring, pool: asyncpg.Pool, dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One statement of the look never gets its lock; all else of the process, and of Postgres, is well."""
    monkeypatch.setattr(measuring, "_MEASURE_SECONDS", 0.05)
    metrics, segments = Metrics(), Segments(pool)
    app, made = build_segmenter(
        wiring, segments, Behaviours(pool), metrics, datadir=str(tmp_path), topic_allow_declare=True
    )
    watch = ProgressWatch(app, metrics, [made.loop], stall_seconds=1.5)
    app.finalize()
    starting, background = asyncio.ensure_future(app.start()), asyncio.ensure_future(made.run())
    blocker = await asyncpg.connect(dsn)
    try:
        await until(
            watch, lambda: watch.health().status == "ok" and made.loop.iterations > 0 and made.loop.must_progress
        )
        async with blocker.transaction():
            await blocker.execute("lock table segment_memberships in access exclusive mode")
            async with segments.transaction() as work:
                hour_ago = datetime.now(UTC) - timedelta(hours=1)
                await work.put_customers("shop", [Profile("c1", 0, 0, b'{"id": "c1"}', hour_ago)])
            await until(watch, lambda: watch.is_stalled() and due(metrics)[0] == 1)
            health = watch.health()
            assert (health.healthy, health.stalled, sum(health.lag.values())) == (False, ["due customers"], 0)
            assert due(metrics)[0] == 1
            assert 3600 <= due(metrics)[1] < 4000
        await until(watch, lambda: watch.health().healthy and due(metrics) == (0, 0))
    finally:
        background.cancel()
        await blocker.close()
        await starting
        assert await app.stop_within(30)
        app.outputs.close(0.5)


def due(metrics: Metrics) -> tuple[float | None, float]:
    read = metrics.registry.get_sample_value
    return read("tidings_segments_due"), read("tidings_segments_due_age_seconds") or 0.0
