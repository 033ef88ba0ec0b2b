"""The producer: what is refused is the last that is written."""

from __future__ import annotations

from typing import Any

from agents.broker.producer import Producer
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
