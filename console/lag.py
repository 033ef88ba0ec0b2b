"""How far each consumer group is behind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from agents.wiring import Wiring
from schemas.closed import CHANNELS, Role, members
from schemas.errors import TryLater
from schemas.topics import CUSTOMERS, deliveries
from schemas.triggers import EVENT_TOPICS

_TIMEOUT = 10.0
_READS: dict[str, tuple[str, ...]] = {
    "matcher": (*EVENT_TOPICS, CUSTOMERS),
    "sender": tuple(deliveries(channel) for channel in CHANNELS),
}


@dataclass(frozen=True, slots=True)
class Lag:
    """One partition of one group. `committed` is None before the first commit."""

    group: str
    topic: str
    partition: int
    committed: int | None
    end: int

    @property
    def lag(self) -> int:
        """Records not yet processed."""
        return self.end - (self.committed or 0)


def read_lag(wired: Wiring) -> list[Lag]:
    """Every partition that a role reads. Raises TryLater while Kafka is away."""
    admin = AdminClient({**wired.settings.kafka.client(), "log_level": 0})
    try:
        return [lag for role in members(Role) for lag in _of_role(admin, wired, role)]
    except KafkaException as error:
        raise TryLater(f"Kafka does not answer: {error.args[0].str()}") from error


def _of_role(admin: AdminClient, wired: Wiring, role: str) -> Iterator[Lag]:
    group = wired.group(role)
    listed = admin.list_topics(timeout=_TIMEOUT).topics
    names = [wired.topic(topic) for topic in _READS[role]]
    places = [TopicPartition(name, number) for name in names if name in listed for number in listed[name].partitions]
    if not places:
        return
    wanted = ConsumerGroupTopicPartitions(group, places)
    answer = admin.list_consumer_group_offsets([wanted], request_timeout=_TIMEOUT)[group].result()
    committed = {(place.topic, place.partition): place.offset for place in answer.topic_partitions}
    latest = {place: OffsetSpec.latest() for place in places}
    ends = admin.list_offsets(latest, request_timeout=_TIMEOUT)
    for place, end in ends.items():
        offset = committed.get((place.topic, place.partition), -1)
        yield Lag(group, place.topic, place.partition, offset if offset >= 0 else None, end.result().offset)
