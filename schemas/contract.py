"""The public contract: which record is on which topic, and the Avro file that says so.

`python -m schemas.contract` writes the files again after a record changed; `python -m schemas.contract release` keeps
those of now for ever, since records written with them stay in compacted topics.
"""

from __future__ import annotations

import json
import sys
from functools import cache, partial
from pathlib import Path
from typing import Any

from schemas.audit_record import AuditRecord
from schemas.channels.tables import DELIVERY_TYPES
from schemas.closed import CHANNELS, Wire
from schemas.consent_choice import CustomerChoices
from schemas.dead_letter import DeadLetter
from schemas.decision import Decision, DeliveryStatus
from schemas.distribution import Distribution
from schemas.events.event import Event
from schemas.events.objects import Customer
from schemas.events.triggers import EVENT_TOPICS, data_type
from schemas.hold import Hold
from schemas.membership import Memberships
from schemas.notice import Notice
from schemas.publication_request import PublicationRequest
from schemas.record import Record
from schemas.topics import (
    AUDIT,
    CONSENTS,
    CUSTOMERS,
    DEAD_LETTERS,
    DECISIONS,
    DELIVERY_STATUS,
    DISTRIBUTIONS,
    DUE,
    HOLDS,
    MEMBERSHIPS,
    NOTICES,
    PUBLICATION_REQUESTS,
    TOPICS,
    deliveries,
)
from schemas.wire.avro_schema import avro_schema
from schemas.wire.codec import TopicCodec, schema_fingerprint
from schemas.wire.registry import SchemaRegistry

FOLDER = Path(__file__).parent / "avro"
RELEASED = FOLDER / "released"
LEDGER = RELEASED / "fingerprints.json"
"""Topic to the fingerprints, in hex, of every schema that a release wrote its records with."""

_RECORDS: dict[str, type[Record]] = {
    CUSTOMERS: Customer,
    MEMBERSHIPS: Memberships,
    DISTRIBUTIONS: Distribution,
    HOLDS: Hold,
    DUE: Hold,
    PUBLICATION_REQUESTS: PublicationRequest,
    DECISIONS: Decision,
    DELIVERY_STATUS: DeliveryStatus,
    CONSENTS: CustomerChoices,
    NOTICES: Notice,
    AUDIT: AuditRecord,
    DEAD_LETTERS: DeadLetter,
    **{deliveries(channel): DELIVERY_TYPES[channel] for channel in CHANNELS},
}


def record_type(topic: str) -> type[Record]:
    """The struct of a topic's values. Raises KeyError for event topics, whose records differ by type."""
    return _RECORDS[topic]


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
    earlier, most = partial(released_schema, topic), TOPICS[topic].max_value_bytes
    return TopicCodec(topic, topic_schema(topic), wire, registry, earlier, most)


def released_schema(topic: str, fingerprint: bytes) -> dict[str, Any] | None:
    """The schema that a release wrote the topic's records with; None where none had the fingerprint."""
    file = released_file(topic, fingerprint)
    return json.loads(file.read_text()) if file.exists() else None


def released_file(topic: str, fingerprint: bytes) -> Path:
    """The file of a schema once records with it may be in anybody's Kafka."""
    return RELEASED / f"{topic}.{fingerprint.hex()}.avsc"


def avro_file(topic: str) -> Path:
    """The file of a topic's schema."""
    return FOLDER / f"{topic}.avsc"


def avro_text(topic: str) -> str:
    """The content that the topic's file has to have."""
    return json.dumps(topic_schema(topic), indent=2) + "\n"


def write_files() -> None:
    """Write every topic's Avro file."""
    for topic in TOPICS:
        avro_file(topic).write_text(avro_text(topic))


def release() -> None:
    """Keep every topic's schema of now for ever. Part of each release; one that was kept before stays as it is."""
    ledger: dict[str, list[str]] = json.loads(LEDGER.read_text())
    for topic in TOPICS:
        fingerprint = schema_fingerprint(topic_schema(topic))
        if fingerprint.hex() not in ledger.setdefault(topic, []):
            ledger[topic].append(fingerprint.hex())
            released_file(topic, fingerprint).write_text(avro_text(topic))
    LEDGER.write_text(json.dumps(ledger, indent=2) + "\n")


if __name__ == "__main__":
    release() if sys.argv[1:] == ["release"] else write_files()
