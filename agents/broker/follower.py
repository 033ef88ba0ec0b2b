"""Partitions of several topics, read on from offsets that somebody else keeps, outside any consumer group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from agents.broker.reader import headers_of
from agents.broker.records import Headers
from agents.broker.renewed import RenewedConsumer
from agents.broker.wire import Wire
from schemas.errors import TryLater

_TIMEOUT = 10.0
Partition = tuple[str, int]
"""A topic as the broker names it, and a number."""


@dataclass(frozen=True, slots=True)
class Followed:
    """A record, as `Incoming` has it."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int | None
    headers: Headers = ()


@dataclass(slots=True)
class Stretch:
    """Records of a partition, one after the other, and the offset before which there is nothing else."""

    end: int
    records: list[Followed] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Fetched:
    """The next records by partition, and partitions that are read no more: no record is where they would go on."""

    stretches: dict[Partition, Stretch] = field(default_factory=dict)
    lost: set[Partition] = field(default_factory=set)


class Follower:
    """Blocks: to be called from a thread, by one caller at a time. Raises TryLater while Kafka is away."""

    def __init__(self, wire: Wire) -> None:
        client = {
            **wire.kafka.client(),
            "group.id": wire.group("segmenter-events"),
            "enable.auto.commit": False,
            "log_level": 0,
        }
        reading = {
            "auto.offset.reset": "error",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "queued.max.messages.kbytes": 16_384,
            "fetch.queue.backoff.ms": 5,
            "fetch.wait.max.ms": 100,
        }
        self._consumer = Consumer({**client, **reading})
        # on the reader's connection a question would wait for the fetch before it
        self._asking = RenewedConsumer(lambda: Consumer(client))

    def partitions(self, topic: str) -> list[int]:
        """The partitions that a topic has. Raises TryLater where there is no such topic."""
        try:
            found = self._asking.now.list_topics(topic, timeout=_TIMEOUT).topics[topic]
        except KafkaException as error:
            raise TryLater(f"Kafka does not answer: {error.args[0].str()}") from error
        if not found.partitions:
            raise TryLater(f"topic {topic} does not exist. Create it with: tidings topics apply")
        return sorted(found.partitions)

    def ends(self, partition: Partition) -> tuple[int, int]:
        """The first offset and the end of a partition."""
        try:
            low, high = self._asking.now.get_watermark_offsets(TopicPartition(*partition), timeout=_TIMEOUT)
        except KafkaException as error:
            self._asking.renew()
            raise TryLater(f"Kafka does not answer for {partition[0]}: {error.args[0].str()}") from error
        return low, high

    def end_of(self, partition: Partition) -> int | None:
        """The end of a partition that is read, as the broker said it last; None before it has."""
        _, high = self._consumer.get_watermark_offsets(TopicPartition(*partition), cached=True)
        return high if high >= 0 else None

    def follow(self, begins: Mapping[Partition, int]) -> None:
        """Read on from these offsets, and no other partition."""
        self._consumer.assign([TopicPartition(*partition, offset) for partition, offset in begins.items()])

    def fetch(self, most: int, seconds: float) -> Fetched:
        """The next records, as far as they come within a time. A partition that is lost has to be followed anew."""
        found = Fetched()
        for message in self._consumer.consume(most, seconds):
            self._add(found, message)
        return found

    def _add(self, found: Fetched, message: Message) -> None:
        error, partition, offset = message.error(), (message.topic(), message.partition()), message.offset()
        if error is None:
            kind, milliseconds = message.timestamp()
            stamp = milliseconds if kind else None
            record = Followed(offset, message.key(), message.value(), stamp, tuple(headers_of(message)))
            stretch = found.stretches.setdefault(partition, Stretch(offset + 1))
            stretch.records.append(record)
            stretch.end = offset + 1
        elif error.code() == KafkaError._PARTITION_EOF:
            stretch = found.stretches.setdefault(partition, Stretch(offset))
            stretch.end = max(stretch.end, offset)
        elif error.code() == KafkaError._AUTO_OFFSET_RESET:
            found.lost.add(partition)

    def close(self) -> None:
        """Disconnect."""
        self._consumer.close()
        self._asking.close()
