"""A bulk topic beside a live one, on a real broker: what is live goes first, and both get to their end."""

from __future__ import annotations

import asyncio
from pathlib import Path

from agents.broker.producer import Producer, write_all
from agents.broker.records import Output
from agents.transport.app import BatchApp
from agents.transport.batch import Batch
from agents.wiring import Wiring
from tests.integration.batch_apps import TOPIC, running, until

BULK = "events.manual"
COUNT = 1500


class Work:
    """Counts records by topic; a live batch ends when it is let. `outlasts`: bulk goes on until something live came."""

    def __init__(self, *, outlasts: bool = False) -> None:
        self.outlasts = outlasts
        self.bulk = self.live = 0
        self.bulk_before_live = -1
        self.sizes: list[int] = []
        self.may_end = asyncio.Event()

    async def on_bulk(self, batch: Batch) -> None:
        self.sizes.append(len(batch.records))
        for number in range(len(batch.records)):
            self.bulk += 1
            if number % 10 == 0:
                await asyncio.sleep(0.002)
                await batch.give_way()
        while self.outlasts and not self.live:
            await asyncio.sleep(0.002)
            await batch.give_way()

    async def on_live(self, batch: Batch) -> None:
        self.bulk_before_live = self.bulk
        await self.may_end.wait()
        self.live += len(batch.records)

    def add_bulk_agent(self, app: BatchApp, wiring: Wiring) -> None:
        app.batch_agent(wiring.topic(BULK), self.on_bulk, name="bulk", is_bulk=True)


async def publish(wiring: Wiring, topic: str, count: int) -> None:
    producer = Producer(wiring.settings.kafka.client())
    await write_all(producer, [Output(wiring.topic(topic), f"c{one}".encode(), b"{}") for one in range(count)])
    producer.close()


async def test_live_records_overtake_a_blast_that_is_under_way(wiring: Wiring, tmp_path: Path) -> None:
    work = Work(outlasts=True)
    work.may_end.set()
    async with running(wiring, tmp_path, work.on_live, agents=work.add_bulk_agent) as (_, watch):
        await publish(wiring, BULK, COUNT)
        await until(watch, lambda: work.bulk > 0)
        await publish(wiring, TOPIC, 3)
        await until(watch, lambda: work.live == 3)
        assert 0 < work.bulk_before_live < COUNT
        await until(watch, lambda: work.bulk == COUNT and not any(watch.health().lag.values()))
        assert max(work.sizes) <= 250


async def test_a_blast_goes_on_beside_live_work_without_end(wiring: Wiring, tmp_path: Path) -> None:
    work = Work()
    async with running(wiring, tmp_path, work.on_live, agents=work.add_bulk_agent) as (_, watch):
        await publish(wiring, TOPIC, 3)
        await until(watch, lambda: work.bulk_before_live == 0)
        await publish(wiring, BULK, 300)
        await until(watch, lambda: work.bulk == 300)
        work.may_end.set()
        await until(watch, lambda: work.live == 3 and not any(watch.health().lag.values()))
