"""Offsets between which records of topics can be read at this moment, and times of records, without reading one."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from agents.broker.partitioner import partition_of
from agents.broker.wire import Wire
from schemas.errors import TryLater

_TIMEOUT = 10.0

Place = tuple[str, int]
"""Topic, by its name on the broker, and partition."""


@dataclass(frozen=True, slots=True)
class Extent:
    """One partition, by its topic's name on the broker: its first offset, and the one after its last."""

    topic: str
    partition: int
    start: int
    end: int


class Extents:
    """Asks the broker; one connection for as many questions as are needed."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._admin = AdminClient({**wire.kafka.client(), "log_level": 0})

    def read(self, topics: Iterable[str], key: bytes | None = None) -> list[Extent]:
        """Every partition of some topics, named without prefix; with a key, the one of each that has its records.

        A topic that does not exist has none. Blocks. Raises TryLater while Kafka is away.
        """
        with _passing_errors():
            listed = self._admin.list_topics(timeout=_TIMEOUT).topics  # to name one could create it
            names = [name for name in map(self._wire.topic, topics) if name in listed]
            places = [TopicPartition(name, one) for name in names for one in _of(key, sorted(listed[name].partitions))]
            if not places:
                return []
            starts, ends = (
                self._asked(dict.fromkeys(places, which)) for which in (OffsetSpec.earliest(), OffsetSpec.latest())
            )
        return [Extent(one.topic, one.partition, starts[one].offset, ends[one].offset) for one in places]

    def first_after(self, stamps: Mapping[Place, int]) -> dict[Place, int]:
        """The time of the first record of each partition that is later than a time, both in Unix milliseconds.

        Without those that have no such record. Blocks. Raises TryLater while Kafka is away.
        """
        if not stamps:
            return {}
        asked = {TopicPartition(*place): OffsetSpec.for_timestamp(stamp + 1) for place, stamp in stamps.items()}
        with _passing_errors():
            found = self._asked(asked)
        return {(one.topic, one.partition): answer.timestamp for one, answer in found.items() if answer.offset >= 0}

    def _asked(self, places: Mapping[TopicPartition, OffsetSpec]) -> dict[TopicPartition, Any]:
        """Answers by partition; a broker that has just started may need a moment to lead it."""
        committed, deadline = IsolationLevel.READ_COMMITTED, time.monotonic() + _TIMEOUT
        while True:
            answers = self._admin.list_offsets(dict(places), isolation_level=committed, request_timeout=_TIMEOUT)
            try:
                return {place: answer.result(_TIMEOUT) for place, answer in answers.items()}
            except KafkaException:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)


def _of(key: bytes | None, partitions: list[int]) -> list[int]:
    """Those of some partitions that may have records of a key."""
    return partitions if key is None or not partitions else [partition_of(key, len(partitions))]


@contextmanager
def _passing_errors() -> Iterator[None]:
    try:
        yield
    except KafkaException as error:
        raise TryLater(f"Kafka does not answer: {error.args[0].str()}") from error
    except TimeoutError as error:
        raise TryLater("Kafka does not answer in time") from error
