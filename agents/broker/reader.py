"""Records of a topic, read from outside any consumer group."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from operator import methodcaller
from types import MappingProxyType
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaException, Message, TopicPartition

from agents.broker.partitioner import partition_of
from agents.broker.renewed import RenewedConsumer
from agents.broker.wire import Wire
from schemas.dead_letter import DeadLetter
from schemas.errors import TidingsError, TryLater
from schemas.names import ROUGHLY_LIKE, did_you_mean
from schemas.topics import CHANGELOGS, DEAD_LETTERS, TOPICS

Fetched = Message
"""A record as this client hands it over."""

_TIMEOUT = 10.0
_LEAD_SECONDS = 30.0
"""Waited for a broker to lead a partition: a busy one is slow to take up a topic that was just made."""
_QUIET_SECONDS = 1.0
"""Without a record, until it is asked what retention has left of those that were there."""
_RENEW_SECONDS = 3.0
"""A consumer that is refused for so long is replaced."""


class TopicReader:
    """Reads one topic, or the changelog of a table, named without prefix.

    Raises TidingsError for an unknown one, TryLater while Kafka is away.
    """

    def __init__(self, wire: Wire, topic: str) -> None:
        if topic not in TOPICS and topic not in CHANGELOGS:
            hint = did_you_mean(topic, TOPICS, ROUGHLY_LIKE)
            raise TidingsError(f'no topic "{topic}".{hint} There are: {", ".join(TOPICS)}.')
        self.topic = topic
        self._wire = wire
        self.name = wire.topic(topic)
        extra = {
            "group.id": "tidings-console",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",  # of a place that retention takes out meanwhile
            "isolation.level": "read_committed",
            "fetch.queue.backoff.ms": 5,
            "log_level": 0,
        }
        self._renewed = RenewedConsumer(lambda: Consumer({**wire.kafka.client(), **extra}))
        try:
            self.partitions = self._partitions()
        except BaseException:
            self._renewed.close()
            raise

    @property
    def _consumer(self) -> Consumer:
        return self._renewed.now

    def _partitions(self) -> list[int]:
        try:
            found = self._consumer.list_topics(self.name, timeout=_TIMEOUT).topics[self.name]
        except KafkaException as error:
            raise TryLater(f"Kafka does not answer: {error.args[0].str()}") from error
        if not found.partitions:
            raise TidingsError(f"topic {self.name} does not exist. Create it with: tidings topics apply")
        return sorted(found.partitions)

    def partition_of(self, key: str) -> int:
        """The partition of a key's records: the partitioner of Kafka's own clients."""
        return partition_of(key.encode(), len(self.partitions))

    def at(self, partition: int, offset: int) -> Message | None:
        """One record, read without those before it; None where nothing is at that place."""
        if partition not in self.partitions:
            return None
        low, high = self.bounds(partition)
        if not low <= offset < high:
            return None
        self._consumer.assign([TopicPartition(self.name, partition, offset)])
        deadline = time.monotonic() + _TIMEOUT
        while time.monotonic() < deadline:
            for message in self._poll(0.1):
                return message if message.offset() == offset else None
            (place,) = self._consumer.position([TopicPartition(self.name, partition)])
            if place.offset >= high:
                return None
        raise self._stopped_answering()

    def bounds(self, partition: int) -> tuple[int, int]:
        """First offset and end of a partition; a broker that has just started may need a moment to lead it."""
        place, begun = TopicPartition(self.name, partition), time.monotonic()
        renew_at = begun + _RENEW_SECONDS
        while True:
            try:
                low, high = self._consumer.get_watermark_offsets(place, timeout=_TIMEOUT)
            except KafkaException as error:
                if (now := time.monotonic()) > renew_at:
                    self._renewed.renew()
                    renew_at = now + _RENEW_SECONDS
                if now > begun + _LEAD_SECONDS:
                    raise TryLater(f"Kafka does not answer for {self.name}: {error.args[0].str()}") from error
                time.sleep(0.1)
            else:
                return low, high

    def until_now(
        self, partitions: list[int] | None = None, *, start: Mapping[int, int] = MappingProxyType({})
    ) -> Iterator[Message]:
        """Everything that is there at this moment, oldest first within a partition, from the offsets of `start` on."""
        ends = {partition: self.bounds(partition) for partition in partitions or self.partitions}
        left = {partition: end for partition, (low, end) in ends.items() if end > max(low, start.get(partition, 0))}
        self._consumer.assign(
            [TopicPartition(self.name, number, start.get(number, OFFSET_BEGINNING)) for number in left]
        )
        deadline, look_at = time.monotonic() + _TIMEOUT, time.monotonic() + _QUIET_SECONDS
        while left:
            for message in self._poll(0.2):
                if message.partition() in left:
                    yield message
                deadline = time.monotonic() + _TIMEOUT  # whoever reads may have taken long
                look_at = time.monotonic() + _QUIET_SECONDS
            for place in self._consumer.position([TopicPartition(self.name, number) for number in left]):
                if place.offset >= left[place.partition]:
                    del left[place.partition]
            if time.monotonic() > deadline:
                raise self._stopped_answering()
            if time.monotonic() > look_at:
                left = {one: end for one, end in left.items() if self.bounds(one)[0] < end}
                look_at = time.monotonic() + _QUIET_SECONDS

    def _stopped_answering(self) -> TryLater:
        self._renewed.renew()
        return TryLater(f"Kafka stopped answering while {self.name} was read")

    def from_now(self) -> Iterator[Message]:
        """Records that come from now on, for ever."""
        self._assign(self.partitions, OFFSET_END)
        while True:
            yield from self._poll(0.2)

    def begin_at(self, places: Mapping[int, int]) -> None:
        """Have `come` go on from these offsets."""
        self._consumer.assign([TopicPartition(self.name, number, offset) for number, offset in places.items()])

    def come(self, most: int, seconds: float) -> list[Message]:
        """Records that came, at most so many; none where nothing comes in that time."""
        return [message for message in self._consumer.consume(most, seconds) if message.error() is None]

    def last_value(self, key: str) -> bytes | None:
        """The newest value of a key; None where it has not any, or a tombstone."""
        return self.last_values([key]).get(key)

    def last_values(self, keys: Collection[str]) -> dict[str, bytes]:
        """The newest values of some keys, in one pass; without those that have not any, or a tombstone."""
        wanted, values = {key.encode(): key for key in keys}, dict[str, bytes]()
        for message in self.until_now(sorted({self.partition_of(key) for key in keys})) if keys else ():
            key, value = wanted.get(message.key() or b""), message.value()
            if key is not None and value is not None:
                values[key] = value
            elif key is not None:
                values.pop(key, None)
        return values

    def decode(self, message: Message) -> dict[str, Any]:
        """The record as a mapping. Raises BadRecord."""
        if self.topic == DEAD_LETTERS:
            facts = DeadLetter.from_headers(headers_of(message))
            shown = (message.value() or b"")[:2000].decode(errors="replace")
            return {**{name: getattr(facts, name) for name in facts.__struct_fields__}, "value": shown}
        return self._wire.codec(self.topic).decode(message.value() or b"")

    def close(self) -> None:
        """Disconnect."""
        self._renewed.close()

    def __enter__(self) -> TopicReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _assign(self, partitions: list[int], offset: int) -> None:
        self._consumer.assign([TopicPartition(self.name, partition, offset) for partition in partitions])

    def _poll(self, seconds: float) -> Iterator[Message]:
        for message in self._consumer.consume(500, seconds):
            if message.error() is None:
                yield message


def headers_of(message: Message) -> list[tuple[str, bytes | None]]:
    """A record's headers; none where a name is not UTF-8, which this client cannot show."""
    try:
        return _HEADERS(message) or []
    except SystemError:
        return []


_HEADERS = methodcaller("headers")
"""The client raises and returns a broken list at once, which a call by the interpreter, once warm, no longer checks."""
