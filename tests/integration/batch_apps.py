"""Apps on the batched transport in the test's own process, with the watch of their health."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from agents.broker.producer import Producer, write_all
from agents.broker.records import Output
from agents.tables.table import add_table, in_memory
from agents.telemetry.health import ProgressWatch
from agents.telemetry.metrics import Metrics
from agents.transport.app import BatchApp
from agents.transport.batch import Batch
from agents.wiring import Wiring

TOPIC = "events.orders"
DONE = threading.Event()


async def nothing(_: Batch) -> None:
    """All done."""


async def never(_: Batch) -> None:
    """An agent that hangs, until the test is over."""
    while not DONE.is_set():
        await asyncio.sleep(0.01)


@asynccontextmanager
async def running(
    wiring: Wiring,
    folder: Path,
    work: Any = nothing,
    topic: str = TOPIC,
    before: Callable[[BatchApp], None] = lambda _: None,
    agents: Callable[[BatchApp, Wiring], None] = lambda _, __: None,
    *,
    group: str = "stall",
    has_table: bool = True,
    **settings: Any,
) -> AsyncIterator[tuple[BatchApp, ProgressWatch]]:
    app = BatchApp(
        wiring.group(group), wiring.settings.kafka, datadir=str(folder), topic_allow_declare=True, **settings
    )
    if has_table:
        add_table(app, "rows", partitions=4 if topic == TOPIC else 1, open_partition=in_memory)
    app.batch_agent(wiring.topic(topic), work, name="work")
    agents(app, wiring)
    DONE.clear()
    app.finalize()
    before(app)
    starting = asyncio.ensure_future(app.start())
    try:
        yield app, ProgressWatch(app, Metrics(), stall_seconds=1.5)
    finally:
        DONE.set()
        await starting
        assert await app.stop_within(30)
        app.outputs.close(0.5)


async def publish(wiring: Wiring, topic: str = TOPIC) -> None:
    producer = Producer(wiring.settings.kafka.client())
    await write_all(producer, [Output(wiring.topic(topic), b"c1", b"{}") for _ in range(3)])
    producer.close()


async def until(watch: ProgressWatch, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, watch.health()
        await watch.observe()
        await asyncio.sleep(0.05)
