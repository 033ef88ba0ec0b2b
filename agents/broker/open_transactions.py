"""Transactions that are open: what comes after them cannot be read by anybody."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from confluent_kafka import Consumer, IsolationLevel, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec

from agents.broker.admin import Admin, offset_of
from agents.broker.wire import Wire
from schemas.errors import TryLater
from schemas.topics import TOPICS

_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class OpenTransaction:
    """One that holds back `waiting` offsets of a partition, from `offset` on, and for how many seconds it is open."""

    topic: str
    partition: int
    offset: int
    waiting: int
    seconds: float


def open_transactions(wire: Wire, now: datetime) -> list[OpenTransaction]:
    """Those of our topics. Raises TryLater."""
    try:
        return _found(wire, now)
    except KafkaException as error:
        raise TryLater(f"Kafka does not answer: {error.args[0].str()}") from error


def _found(wire: Wire, now: datetime) -> list[OpenTransaction]:
    client, names = {**wire.kafka.client(), "log_level": 0}, [wire.topic(name) for name in TOPICS]
    with Admin(wire.kafka) as admin:
        listed = admin.list_topics(timeout=_TIMEOUT).topics
        there = [name for name in names if name in listed]
        places = [TopicPartition(name, number) for name in there for number in listed[name].partitions]
        readable = _ends(admin, places, IsolationLevel.READ_COMMITTED)
        written = _ends(admin, places, IsolationLevel.READ_UNCOMMITTED)
    return [
        OpenTransaction(*place, readable[place], end - readable[place], _age(client, place, readable[place], now))
        for place, end in written.items()
        if readable[place] < end
    ]


def _ends(admin: Admin, places: list[TopicPartition], isolation: IsolationLevel) -> dict[tuple[str, int], int]:
    asked = {place: OffsetSpec.latest() for place in places}
    answers = admin.list_offsets(asked, isolation_level=isolation, request_timeout=_TIMEOUT) if asked else {}
    return {(place.topic, place.partition): offset_of(answer, _TIMEOUT).offset for place, answer in answers.items()}


def _age(client: dict[str, object], place: tuple[str, int], offset: int, now: datetime) -> float:
    """For how long the record there has been there; 0 where it is gone meanwhile."""
    reading = {"group.id": "tidings-console", "enable.auto.commit": False, "isolation.level": "read_uncommitted"}
    consumer = Consumer({**client, **reading})
    try:
        consumer.assign([TopicPartition(*place, offset)])
        record = consumer.poll(_TIMEOUT)
        if record is None or record.error() is not None:
            return 0.0
        return float(max(0.0, now.timestamp() - record.timestamp()[1] / 1000))
    finally:
        consumer.close()
