"""Topics that are read whole, into rules and into tables: whatever was done to them, their end is reached."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from agents.roles.matcher.rules import RuleTable
from agents.telemetry.metrics import Metrics
from agents.transport import consumer
from agents.transport.fetched import FetchedBatch
from agents.transport.follower import follower
from agents.wiring import Wiring
from schemas.topics import DISTRIBUTIONS
from tests.factory import rule
from tests.integration.batch_apps import nothing, publish, running, until
from tests.integration.test_changing_topics import another_in_its_place, applied
from tests.integration.test_foreign_records import CODECS, delete, produced, stays_well, transaction


@asynccontextmanager
async def followed(wiring: Wiring) -> AsyncIterator[RuleTable]:
    table = RuleTable(
        wiring.topic(DISTRIBUTIONS),
        wiring.codec(DISTRIBUTIONS),
        partial(follower, wiring.settings.kafka),
        Metrics(),
        default_project="shop",
    )
    await table.start()
    try:
        yield table
    finally:
        await table.stop()


async def until_true(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


def record(wiring: Wiring, name: str) -> bytes:
    made = rule(distribution=name)
    return wiring.codec(DISTRIBUTIONS).encode(msgspec.structs.replace(made, id=name))


async def test_rules_are_read_in_every_codec_committed_ones_alone_and_anew_with_their_topic(wiring: Wiring) -> None:
    topic, admin = wiring.topic(DISTRIBUTIONS), AdminClient(wiring.settings.kafka.client())
    for codec in CODECS:
        produced(wiring, [record(wiring, codec)], DISTRIBUTIONS, codec=codec, key=codec)
    bad, held = transaction(wiring, "bad"), transaction(wiring, "held")
    bad.begin_transaction()
    bad.produce(topic, record(wiring, "aborted"), b"aborted", 0)
    bad.flush(30)
    bad.abort_transaction(30)
    held.begin_transaction()
    held.produce(topic, record(wiring, "held"), b"held", 0)
    held.flush(30)
    async with followed(wiring) as table:
        await asyncio.wait_for(table.complete.wait(), 60)
        assert len(table.index) == len(CODECS)
        held.commit_transaction(30)
        await until_true(lambda: len(table.index) == len(CODECS) + 1)
        await another_in_its_place(admin, NewTopic(topic, 1, 1, config={"cleanup.policy": "compact"}))
        await asyncio.to_thread(applied, lambda: produced(wiring, [record(wiring, "new")], DISTRIBUTIONS, key="new"))
        await until_true(lambda: len(table.index) == 1 and table.complete.is_set())


async def test_rules_that_cannot_be_read_on_are_tried_again_after_a_pause(
    wiring: Wiring, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried, rests, reads = list[int](), list[float](), FetchedBatch.__iter__

    def damaged(batch: Any) -> Any:
        if len(tried) < 20:
            tried.append(batch.base_offset)
            raise ValueError("damaged")
        return reads(batch)

    async def rest(_: RuleTable, seconds: float) -> None:
        rests.append(seconds)

    produced(wiring, [record(wiring, "late")], DISTRIBUTIONS, key="late")
    monkeypatch.setattr(FetchedBatch, "__iter__", damaged)
    monkeypatch.setattr(RuleTable, "sleep", rest)
    async with followed(wiring) as table:
        await until_true(lambda: len(table.index) == 1)
        assert tried == [0] * 20
        assert len(rests) == len(tried)


@pytest.mark.parametrize("ending", ["aborted", "deleted"])
async def test_a_table_is_restored_from_a_changelog_that_ends_without_records(
    wiring: Wiring, tmp_path: Path, ending: str
) -> None:
    """Its last offsets are markers and what was aborted; or retention took all that there was."""
    group = wiring.group("stall")
    changelog = f"{group}-rows-changelog"
    admin = AdminClient(wiring.settings.kafka.client())
    admin.create_topics([NewTopic(changelog, 4, 1, config={"cleanup.policy": "compact,delete"})])[changelog].result(30)
    writer = transaction(wiring, "writer")
    for keep in (True, False):
        writer.begin_transaction()
        for partition in range(4):
            writer.produce(changelog, b"kept" if keep else b"aborted", b"c1", partition)
        writer.flush(30)
        (writer.commit_transaction if keep else writer.abort_transaction)(30)
    if ending == "deleted":
        delete(admin, changelog, dict.fromkeys(range(4), 4))
    async with running(wiring, tmp_path, nothing) as (app, watch):
        await until(watch, lambda: watch.health().status == "ok")
        table: Any = app.tables["rows"]
        rows = [table.data.get(partition, b"c1") for partition in range(4)]
        assert rows == [b"kept" if ending == "aborted" else None] * 4
        await publish(wiring)
        await until(watch, lambda: not any(watch.health().lag.values()))


async def test_a_table_is_not_restored_past_what_cannot_be_read_and_is_once_it_can(
    wiring: Wiring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changelog, reads = f"{wiring.group('stall')}-rows-changelog", FetchedBatch.__iter__
    admin = AdminClient(wiring.settings.kafka.client())
    admin.create_topics([NewTopic(changelog, 4, 1, config={"cleanup.policy": "compact"})])[changelog].result(30)
    writer = Producer(wiring.settings.kafka.client())
    for key in ("c1", "c2", "c3"):
        writer.produce(changelog, b"row", key, 0)
        assert writer.flush(60) == 0

    def damaged(batch: Any) -> Any:
        return iter([batch._unreadable("damaged")]) if batch.base_offset == 1 else reads(batch)

    monkeypatch.setattr(FetchedBatch, "__iter__", damaged)
    monkeypatch.setattr(consumer, "_LOOK_AGAIN", 0.3)
    async with running(wiring, tmp_path, nothing) as (app, watch):
        await until(watch, lambda: watch.health().status == "waiting")
        await stays_well(watch, 2.5)
        assert watch.health().waits_for == [f"{changelog}-0: cannot be read from offset 1 on (damaged)"]
        table: Any = app.tables["rows"]
        assert [table.data.get(0, key) for key in (b"c1", b"c2", b"c3")] == [b"row", None, None]
        monkeypatch.setattr(FetchedBatch, "__iter__", reads)
        await until(watch, lambda: watch.health().status == "ok")
        assert [table.data.get(0, key) for key in (b"c1", b"c2", b"c3")] == [b"row"] * 3
