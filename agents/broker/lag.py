"""The lag of each consumer group."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from itertools import chain

from confluent_kafka import Consumer, KafkaException, TopicPartition

from agents.broker.extents import Extents, Place
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
        reads = {
            role: [topic for topic in READS[role] if topics is None or topic in topics] for role in roles or self.roles
        }
        places = defaultdict[str, list[Place]](list)
        for place in self._extents.places({topic for names in reads.values() for topic in names}):
            places[place[0]].append(place)
        its = {role: [at for name in names for at in places[self._wire.topic(name)]] for role, names in reads.items()}
        committed = {role: self._committed(role, at) for role, at in its.items()}
        # the ends after the commits: an earlier one could be before what was committed since
        found = {(one.topic, one.partition): one for one in self._extents.of(chain.from_iterable(places.values()))}
        return [
            Lag(self._wire.group(role), *at, committed[role].get(at), found[at].end, found[at].start)
            for role, places_of_it in its.items()
            for at in places_of_it
        ]

    def _committed(self, role: str, places: list[Place]) -> dict[Place, int]:
        """By a consumer, since an admin client dies where a coordinator refuses this question.

        librdkafka 2.16 tells its group to look for another one then, and an admin client has no group.
        """
        asked = [TopicPartition(*one) for one in places]
        try:
            found = self._consumers[role].now.committed(asked, timeout=_TIMEOUT) if asked else []
        except KafkaException as error:
            self._consumers[role].renew()
            raise TryLater(f"Kafka does not answer: {error.args[0].str()}") from error
        return {(one.topic, one.partition): one.offset for one in found if one.offset >= 0}
