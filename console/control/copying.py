"""What is kept for ever, into topics of another prefix: the way to more partitions.

Each record goes where its key belongs among the new partitions, by the partitioner of Kafka's own clients.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from agents.broker.producer import Producer, write_all
from agents.broker.reader import TopicReader
from agents.broker.records import Output
from agents.wiring import Wiring
from schemas.errors import TidingsError
from schemas.topics import CHANGELOGS, CUSTOMERS, DISTRIBUTIONS

_HAND = 1000


async def copy_kept(wiring: Wiring, prefix: str) -> dict[str, int]:
    """Copy profiles, distributions and the tables' rows from the topics under `prefix`; how many records to each.

    Raises TidingsError where a topic already holds records: older ones would be written over newer ones.
    """
    settings = wiring.settings
    if prefix == settings.topics.prefix:
        raise TidingsError(f"the topics have the prefix {prefix!r} already; set topics.prefix to the new one")
    old = Wiring(replace(settings, topics=replace(settings.topics, prefix=prefix)))
    kept = (CUSTOMERS, DISTRIBUTIONS, *CHANGELOGS)
    for topic in kept:
        _check_empty(wiring, topic)
    producer = Producer(settings.kafka.client())
    try:
        return {topic: await _copy(old, wiring, topic, producer) for topic in kept}
    finally:
        producer.close(1.0)


def _check_empty(wiring: Wiring, topic: str) -> None:
    with TopicReader(wiring, topic) as reader:
        if next(reader.until_now(), None) is not None:
            raise TidingsError(f"{reader.name} holds records already; copy before anybody writes to the new topics")


async def _copy(old: Wiring, wiring: Wiring, topic: str, producer: Producer) -> int:
    count = 0
    with TopicReader(old, topic) as reader, TopicReader(wiring, topic) as written:
        outputs = _outputs(reader, written.name)
        while hand := list(islice(outputs, _HAND)):
            await write_all(producer, hand)
            count += len(hand)
    return count


def _outputs(reader: TopicReader, target: str) -> Iterator[Output]:
    for message in reader.until_now():
        yield Output(target, message.key(), message.value(), headers=message.headers())
