"""Topics of the benchmarks: filled, counted, and read again from their beginning."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

from agents.broker.producer import Producer, write_all
from agents.broker.records import Output
from agents.broker.topics import Provision
from agents.wiring import Wiring
from deploy.settings.settings import Settings
from tests.bench.sizes import PARTITIONS

_CHUNK_SIZE = 5000


def placed(settings: Settings, prefix: str) -> Settings:
    """The settings of a part: its topics are its own."""
    return replace(settings, topics=replace(settings.topics, prefix=f"{prefix}."))


def provisioned(settings: Settings, prefix: str) -> Wiring:
    """A part's wiring, its topics made."""
    wiring = Wiring(placed(settings, prefix))
    Provision(wiring).apply()
    return wiring


async def fill(wiring: Wiring, outputs: Iterable[Output]) -> int:
    """Write records; how many."""
    producer, chunk, count = Producer(wiring.settings.kafka.client()), [], 0
    for output in outputs:
        chunk.append(output)
        count += 1
        if len(chunk) == _CHUNK_SIZE:
            await write_all(producer, chunk)
            chunk = []
    await write_all(producer, chunk)
    producer.close()
    return count


def ends(wiring: Wiring, name: str) -> dict[int, int]:
    """The offset behind the last record of each partition."""
    consumer = Consumer({**wiring.settings.kafka.client(), "group.id": "bench"})
    topic = wiring.topic(name)
    found = {
        number: int(consumer.get_watermark_offsets(TopicPartition(topic, number))[1]) for number in range(PARTITIONS)
    }
    consumer.close()
    return found


def size(wiring: Wiring, name: str) -> int:
    """The number of records that were ever written to a topic."""
    return sum(ends(wiring, name).values())


def rewind(wiring: Wiring, *topics: str, role: str = "matcher") -> None:
    """Set a role's group back to the beginning of topics."""
    admin = AdminClient(wiring.settings.kafka.client())
    offsets = [TopicPartition(wiring.topic(topic), number, 0) for topic in topics for number in range(PARTITIONS)]
    request = [ConsumerGroupTopicPartitions(wiring.group(role), offsets)]
    deadline = time.monotonic() + 60
    while True:
        try:
            for future in admin.alter_consumer_group_offsets(request).values():
                refused = [place.error for place in future.result(10).topic_partitions if place.error]
                if refused:
                    raise RuntimeError(refused[0])
            return
        except Exception:  # the group has members until the session of the last run has ended
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
