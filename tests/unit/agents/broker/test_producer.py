"""The producer: what is refused is the last that is written, and who gives up leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from agents.broker.producer import Producer, write_all
from agents.broker.records import Output


async def test_nothing_is_written_after_a_refused_record() -> None:
    """librdkafka goes on with the next records; they would stand before the refused one once it is written again."""
    producer = Producer({"bootstrap.servers": "127.0.0.1:1"})
    reports: list[Any] = []

    def report(error: Any, _record: Any) -> None:
        reports.append(error.name())

    for number in range(3):
        producer.produce(Output("deliveries.webhook", b"c1", b"%d" % number, 0), report)
    await producer.wait_for_capacity()
    producer.abandon()
    producer.produce(Output("deliveries.webhook", b"c1", b"later", 0), report)
    assert producer.flush(5.0) == 0
    assert reports == ["_PURGE_QUEUE"] * 3
    producer.close()


async def test_whoever_is_cancelled_while_it_writes_leaves_nothing_in_the_log() -> None:
    """A request that takes too long is cancelled; what it waited for is not an error of its own."""
    said: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context))
    producer = Producer({"bootstrap.servers": "127.0.0.1:1"})
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await write_all(producer, [Output("distributions", b"k", b"{}", 0)] * 2)
    producer.abandon()
    producer.close()
    gc.collect()
    assert said == []
