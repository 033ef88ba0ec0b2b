"""The lag of each consumer group."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial

from confluent_kafka import Consumer, KafkaException, TopicPartition

from agents.broker.extents import Extents
from agents.broker.renewed import RenewedConsumer
from agents.broker.wire import Wire
from schemas.closed import CHANNELS, Role, members
from schemas.errors import TryLater
from schemas.events.triggers import EVENT_TOPICS
from schemas.purchase import PURCHASE_TOPICS
from schemas.topics import (
    CUSTOMERS,
    DECISIONS,
    DELIVERY_STATUS,
    DUE,
    HOLDS,
    MEMBERSHIPS,
    PUBLICATION_REQUESTS,
    deliveries,
)

_TIMEOUT = 10.0
OPEN_SECONDS = 10.0
"""A transaction that holds back what comes after it is named after so long."""
READS: dict[str, tuple[str, ...]] = {
    "matcher": (*EVENT_TOPICS, DUE, CUSTOMERS, MEMBERSHIPS),
    "holder": (HOLDS, DELIVERY_STATUS),
    "publisher": (PUBLICATION_REQUESTS,),
    "sender": (*map(deliveries, CHANNELS), CUSTOMERS),
    "segmenter": (CUSTOMERS,),
    "fan_out": (),
    "recorder": (DECISIONS, DELIVERY_STATUS, *PURCHASE_TOPICS),
}


@dataclass(frozen=True, slots=True)
class Lag:
    """One partition of one group: what is there begins at `start` and can be read up to `end`.

    `committed` is None before the first commit.
    """

    group: str
    topic: str
    partition: int
    committed: int | None
    end: int
    start: int = 0

    @property
    def lag(self) -> int:
        """Offsets not yet processed. What retention took is no work, nor is what a topic of the same name once held."""
        is_there = self.committed is not None and self.start <= self.committed <= self.end
        return self.end - (self.committed if is_there and self.committed else self.start)


class LagReader:
    """Asks the broker; one connection a group, and one for all, for as many questions as are needed."""

    def __init__(self, wire: Wire, roles: tuple[str, ...] = members(Role)) -> None:
        self._wire, self.roles, self._extents = wire, roles, Extents(wire, patience=_TIMEOUT)
        self._consumers = {role: RenewedConsumer(partial(self._consumer, wire.group(role))) for role in roles}

    def close(self) -> None:
        """Disconnect."""
        for one in self._consumers.values():
            one.close()
        self._extents.close()

    def _consumer(self, group: str) -> Consumer:
        """Never subscribes, so it is no member of the group: it only reads what the group has committed."""
        extra = {"group.id": group, "enable.auto.commit": False, "isolation.level": "read_committed", "log_level": 0}
        return Consumer({**self._wire.kafka.client(), **extra})

    def read(self, *roles: Role, topics: Collection[str] | None = None) -> list[Lag]:
        """Every partition that a role reads; of all roles, where none is named, and of `topics`, without the prefix.

        Raises TryLater while Kafka is away or its coordinator is loading.
        """
        return [lag for role in roles or self.roles for lag in self._of_role(role, topics)]

    def _of_role(self, role: str, topics: Collection[str] | None) -> list[Lag]:
        names = [topic for topic in READS[role] if topics is None or topic in topics]
        try:
            committed = self._committed(self._consumers[role].now, [self._wire.topic(one) for one in names])
        except KafkaException as error:
            self._consumers[role].renew()
            raise TryLater(f"Kafka does not answer: {error.args[0].str()}") from error
        group = self._wire.group(role)
        return [  # the ends after the commits: an earlier one could be before what was committed since
            Lag(group, one.topic, one.partition, committed.get((one.topic, one.partition)), one.end, one.start)
            for one in self._extents.read(names)
        ]

    def _committed(self, consumer: Consumer, names: list[str]) -> dict[tuple[str, int], int]:
        listed = consumer.list_topics(timeout=_TIMEOUT).topics
        places = [
            TopicPartition(name, number) for name in names if name in listed for number in listed[name].partitions
        ]
        found = consumer.committed(places, timeout=_TIMEOUT) if places else []
        return {(place.topic, place.partition): place.offset for place in found if place.offset >= 0}
