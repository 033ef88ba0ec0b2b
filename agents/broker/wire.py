"""Names of a deployment's topics and groups on the broker, and the codecs of the records there."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from agents.broker.registry import HttpSchemaRegistry, RegistryAside
from deploy.settings.servers import Kafka, Topics, WireFormat
from schemas.closed import CHANNELS, Role
from schemas.events.triggers import PUBLISHED, TRIGGERS
from schemas.record_key import record_key
from schemas.topics import (
    AUDIT,
    DECISIONS,
    DELIVERY_STATUS,
    DISTRIBUTIONS,
    HOLDS,
    MEMBERSHIPS,
    NOTICES,
    PUBLICATION_REQUESTS,
    deliveries,
)
from schemas.wire.registry import SchemaRegistry

if TYPE_CHECKING:
    from schemas.wire.codec import TopicCodec

_DELIVERIES = tuple(deliveries(channel) for channel in CHANNELS)
_OUTBOX = (DISTRIBUTIONS, NOTICES, DELIVERY_STATUS)
WRITES: dict[Role, tuple[str, ...]] = {
    "matcher": (*_DELIVERIES, DECISIONS, PUBLICATION_REQUESTS, HOLDS),
    "holder": (),
    "publisher": (*_DELIVERIES, DECISIONS, *_OUTBOX, TRIGGERS[PUBLISHED].topic, AUDIT),
    "segmenter": ("events.segments", MEMBERSHIPS),
    "fan_out": (),  # its events are JSON: see streams/sends.py
    "sender": _OUTBOX,
    "recorder": (),
}
"""The topics that a role encodes records for."""


class Wire:
    """Names and codecs of one deployment's Kafka. Nothing is opened before it is asked for.

    `default_project` is the one whose keys are ids alone (`schemas/record_key.py`). `in_loop`: whoever decodes must not
    be held, so the schema registry is asked aside.
    """

    def __init__(
        self, kafka: Kafka, topics: Topics, written: WireFormat, *, default_project: str, in_loop: bool = False
    ) -> None:
        self.kafka, self.topics, self.default_project = kafka, topics, default_project
        self._written, self._in_loop = written, in_loop
        self._codecs: dict[str, TopicCodec] = {}

    def topic(self, name: str) -> str:
        """A topic's name on the broker."""
        return self.topics.prefix + name

    def group(self, role: str) -> str:
        """A role's consumer group."""
        return f"{self.topics.prefix}tidings-{role}"

    def key(self, project_id: str, identity: str) -> bytes:
        """The key of records about a customer, or a distribution, of a project."""
        return record_key(project_id, identity, self.default_project).encode()

    def codec(self, topic: str) -> TopicCodec:
        """The codec of a topic (without prefix), writing the configured format."""
        if topic not in self._codecs:
            from schemas.contract import topic_codec  # most commands neither read nor write a record

            self._codecs[topic] = topic_codec(topic, self._written.format, self._schemas)
        return self._codecs[topic]

    def register_schemas(self, role: Role) -> None:
        """Have the numbers of all that a role writes before it begins, for no work waits for one. Blocks."""
        for topic in WRITES[role]:
            self.codec(topic).prepare()

    @cached_property
    def registry(self) -> HttpSchemaRegistry | None:
        """The schema registry, where one is configured. Blocks."""
        written = self._written
        if not written.registry_url:
            return None
        return HttpSchemaRegistry(written.registry_url, written.registry_username, written.registry_password.reveal())

    @cached_property
    def _schemas(self) -> SchemaRegistry | None:
        return RegistryAside(self.registry) if self.registry and self._in_loop else self.registry
