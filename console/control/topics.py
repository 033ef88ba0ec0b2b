"""Topics: records that are kept for ever, copied into topics of another prefix: the way to more partitions.

Each record goes where its key belongs among the new partitions, by the partitioner of Kafka's own clients. It keeps its
time: with another, a tombstone would erase what a customer who came back was sent, and entries into segments were new.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from agents.broker.kept_time import kept_time
from agents.broker.producer import Producer, write_all
from agents.broker.reader import TopicReader, headers_of
from agents.broker.records import Output
from agents.broker.wire import Wire
from schemas.errors import TidingsError
from schemas.topics import CHANGELOGS, CUSTOMERS, DISTRIBUTIONS, TOPICS, Topic

_CHUNK_SIZE = 1000


async def copy_kept(old: Wire, new: Wire) -> dict[str, int]:
    """Copy profiles, distributions and the tables' rows into new topics; how many records to each.

    Raises TidingsError where a topic already holds records: older ones would be written over newer ones.
    """
    prefix = old.topics.prefix
    if prefix == new.topics.prefix:
        raise TidingsError(f"the topics have the prefix {prefix!r} already; set topics.prefix to the new one")
    kept = (CUSTOMERS, DISTRIBUTIONS, *CHANGELOGS)
    for topic in kept:
        _check_empty(new, topic)
    producer = Producer(new.kafka.client())
    try:
        return {topic: await _copy(old, new, topic, producer) for topic in kept}
    finally:
        producer.close(1.0)


def _check_empty(wire: Wire, topic: str) -> None:
    with TopicReader(wire, topic) as reader:
        if next(reader.until_now(), None) is not None:
            raise TidingsError(f"{reader.name} holds records already; copy before anybody writes to the new topics")


async def _copy(old: Wire, new: Wire, topic: str, producer: Producer) -> int:
    count = 0
    with TopicReader(old, topic) as reader, TopicReader(new, topic) as written:
        outputs = _outputs(reader, written.name, (TOPICS | CHANGELOGS)[topic])
        while chunk := list(islice(outputs, _CHUNK_SIZE)):
            await write_all(producer, chunk)
            count += len(chunk)
    return count


def _outputs(reader: TopicReader, target: str, topic: Topic) -> Iterator[Output]:
    for message in reader.until_now():
        _, timestamp = message.timestamp()
        yield Output(target, message.key(), message.value(), -1, headers_of(message), kept_time(topic, timestamp))
