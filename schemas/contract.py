"""The public contract: which record is on which topic, and the Avro file that says so.

`python -m schemas.contract` writes the files again after a record changed.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from schemas.avro_of import avro_schema
from schemas.closed import CHANNELS, Wire
from schemas.codec import TopicCodec
from schemas.dead_letter import DeadLetter
from schemas.decision import Decision, DeliveryStatus
from schemas.delivery import DELIVERY_TYPES
from schemas.distribution import Distribution
from schemas.event import Event
from schemas.objects import Customer
from schemas.record import Record
from schemas.registry import SchemaRegistry
from schemas.topics import CUSTOMERS, DEAD_LETTERS, DECISIONS, DELIVERY_STATUS, DISTRIBUTIONS, TOPICS, deliveries
from schemas.triggers import EVENT_TOPICS, data_type

FOLDER = Path(__file__).parent / "avro"

_RECORDS: dict[str, type[Record]] = {
    CUSTOMERS: Customer,
    DISTRIBUTIONS: Distribution,
    DECISIONS: Decision,
    DELIVERY_STATUS: DeliveryStatus,
    DEAD_LETTERS: DeadLetter,
    **{deliveries(channel): DELIVERY_TYPES[channel] for channel in CHANNELS},
}


@cache
def topic_schema(topic: str) -> dict[str, Any]:
    """The Avro schema of a topic's values (of its headers for dead-letters). Raises KeyError for an unknown topic."""
    if topic in EVENT_TOPICS:
        return avro_schema(Event, name=_event_name(topic), data=data_type(topic))
    return avro_schema(_RECORDS[topic])


def _event_name(topic: str) -> str:
    return topic.removeprefix("events.").capitalize() + "Event"


def topic_codec(topic: str, wire: Wire, registry: SchemaRegistry | None = None) -> TopicCodec:
    """The codec of a topic, writing the given wire format."""
    return TopicCodec(topic, topic_schema(topic), wire, registry)


def avro_file(topic: str) -> Path:
    """Where the topic's schema is committed."""
    return FOLDER / f"{topic}.avsc"


def avro_text(topic: str) -> str:
    """What the topic's file has to say."""
    return json.dumps(topic_schema(topic), indent=2) + "\n"


def write_files() -> None:
    """Write every topic's Avro file."""
    for topic in TOPICS:
        avro_file(topic).write_text(avro_text(topic))


if __name__ == "__main__":
    write_files()
