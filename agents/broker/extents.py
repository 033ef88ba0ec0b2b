"""Offsets between which records of topics can be read at this moment, and times of records, without reading one."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec

from agents.broker.admin import Admin, offset_of
from agents.broker.partitioner import partition_of
from agents.broker.wire import Wire
from schemas.errors import TryLater

_TIMEOUT = 10.0
PATIENCE = 3.0
"""Of those who have an answer without what Kafka knows."""

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
    """Asks the broker; one connection for as many questions as are needed, from any thread.

    `patience`: seconds that a question may take.
    """

    def __init__(self, wire: Wire, *, patience: float = _TIMEOUT) -> None:
        self._wire, self._patience = wire, patience
        self._made: Admin | None = None

    @property
    def _admin(self) -> Admin:
        made = self._made
        if made is None:
            made = self._made = Admin(self._wire.kafka)
        return made

    def close(self) -> None:
        """Disconnect, until the next question."""
        made, self._made = self._made, None
        if made is not None:
            made.close()

    def read(self, topics: Iterable[str], key: bytes | None = None) -> list[Extent]:
        """Every partition of some topics, named without prefix; with a key, the one of each that has its records.

        A topic that does not exist has none. Blocks. Raises TryLater while Kafka is away.
        """
        return self.of(self.places(topics, key))

    def places(self, topics: Iterable[str], key: bytes | None = None) -> list[Place]:
        """The partitions alone that `read` tells of. Blocks. Raises TryLater while Kafka is away."""
        with self._passing_errors():
            listed = self._admin.list_topics(timeout=self._patience).topics  # to name one could create it
        names = [name for name in map(self._wire.topic, topics) if name in listed]
        return [(name, one) for name in names for one in _of(key, sorted(listed[name].partitions))]

    def of(self, places: Iterable[Place]) -> list[Extent]:
        """Some partitions that there are. Blocks. Raises TryLater while Kafka is away."""
        asked = [TopicPartition(*one) for one in places]
        if not asked:
            return []
        with self._passing_errors() as deadline:
            which = OffsetSpec.earliest(), OffsetSpec.latest()
            starts, ends = self._asked(deadline, *(dict.fromkeys(asked, one) for one in which))
        return [Extent(one.topic, one.partition, starts[one].offset, ends[one].offset) for one in asked]

    def first_after(self, stamps: Mapping[Place, int]) -> dict[Place, int]:
        """The time of the first record of each partition that is later than a time, both in Unix milliseconds.

        Without those that have no such record. Blocks. Raises TryLater while Kafka is away.
        """
        if not stamps:
            return {}
        asked = {TopicPartition(*place): OffsetSpec.for_timestamp(stamp + 1) for place, stamp in stamps.items()}
        with self._passing_errors() as deadline:
            (found,) = self._asked(deadline, asked)
        return {(one.topic, one.partition): answer.timestamp for one, answer in found.items() if answer.offset >= 0}

    def _asked(
        self, deadline: float, *questions: Mapping[TopicPartition, OffsetSpec]
    ) -> list[dict[TopicPartition, Any]]:
        """Answers by partition to questions asked at once; a broker that has just started may not lead it yet.

        Each try is another client's: one that knew a leader of before keeps asking it (FENCED_LEADER_EPOCH).
        """
        committed = IsolationLevel.READ_COMMITTED
        while True:
            left = max(0.1, deadline - time.monotonic())
            asked = [
                self._admin.list_offsets(dict(one), isolation_level=committed, request_timeout=left)
                for one in questions
            ]
            try:
                return [{place: offset_of(answer, left) for place, answer in one.items()} for one in asked]
            except (KafkaException, TryLater):
                if time.monotonic() > deadline:
                    raise
                self._made = None
                time.sleep(0.1)

    @contextmanager
    def _passing_errors(self) -> Iterator[float]:
        """The moment until which to wait. A client that had no answer is replaced: see `renewed.py`.

        Another thread may be asking by the old one, so that is closed when nobody holds it.
        """
        try:
            yield time.monotonic() + self._patience
        except (KafkaException, TryLater) as error:
            self._made = None
            said = f"Kafka does not answer: {error.args[0].str()}" if isinstance(error, KafkaException) else str(error)
            raise TryLater(said) from error


def _of(key: bytes | None, partitions: list[int]) -> list[int]:
    """Those of some partitions that may have records of a key."""
    return partitions if key is None or not partitions else [partition_of(key, len(partitions))]
