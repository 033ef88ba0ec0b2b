"""A broker that goes away for longer than a stall takes, and comes back with a log that was damaged on its disk."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from agents.broker.cluster import ClusterWatch
from agents.broker.topics import Provision
from agents.telemetry import health
from agents.transport.batch import Batch
from agents.waiting import OUTAGES
from agents.wiring import Wiring
from deploy.embedded.kafka import KafkaServer
from deploy.settings.servers import Kafka
from deploy.settings.settings import Settings
from schemas.errors import Undecodable
from tests.integration.batch_apps import TOPIC, running, until
from tests.integration.test_foreign_records import Reader, produced

pytestmark = pytest.mark.timeout(600)


class Careful(Reader):
    """Notes what cannot be read, as the roles do with their dead letters."""

    async def work(self, batch: Batch) -> None:
        for record in batch.records:
            try:
                self.values.append(record.value)
            except Undecodable as error:
                self.values.append(str(error).encode())


def damage(segment: Path, value: bytes) -> None:
    """One bit, in the batch that holds a value."""
    raw = bytearray(segment.read_bytes())
    raw[raw.index(value)] ^= 1
    segment.write_bytes(raw)


async def test_a_broker_that_is_away_is_waited_for_and_a_batch_that_it_damaged_stops_nothing(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_ANSWER_SECONDS", 0.3)
    broker = KafkaServer(tmp_path / "kafka", os.environ)
    wiring = Wiring(replace(settings, kafka=Kafka(bootstrap=await asyncio.to_thread(broker.start))))
    await asyncio.to_thread(Provision(wiring).apply)
    reader, watching = Careful(wiring), ClusterWatch(Provision(wiring, timeout=0.3), lambda *_: None, pause=0.1)
    try:
        async with running(wiring, tmp_path / "worker", reader.work) as (app, watch):
            await until(watch, lambda: watch.health().status == "ok")
            app.consumer.stop_flow()
            for value in (b"first", b"second", b"third"):
                await asyncio.to_thread(produced, wiring, [value])
            await asyncio.to_thread(produced, wiring, [b"elsewhere"], partition=1)
            await until(watch, lambda: sum(watch.health().lag.values()) == 4)
            await asyncio.to_thread(broker.stop)
            looking = asyncio.ensure_future(watching.follow())
            app.consumer.resume_flow()
            await until(watch, lambda: watch.health().waits_for == ["Kafka"])
            away = time.monotonic()
            while time.monotonic() < away + 1.6 * watch._stall_seconds:
                await watch.observe()
                assert (watch.health().status, watch.health().healthy) == ("waiting", True), watch.health()
                await asyncio.sleep(0.1)
            damage(tmp_path / "kafka" / "logs" / f"{wiring.topic(TOPIC)}-0" / f"{0:020}.log", b"second")
            await asyncio.to_thread(broker.start)
            await until(watch, lambda: len(reader.values) >= 4)
            await reader.until_all_committed(watch)
            looking.cancel()
        assert set(reader.values) >= {b"first", b"third", b"elsewhere"}
        (damaged,) = set(reader.values) - {b"first", b"third", b"elsewhere"}
        assert b"offsets 1 to 1: its checksum is wrong" in (damaged or b"")
    finally:
        OUTAGES.over(watching)
        await asyncio.to_thread(broker.stop)
