"""Decisions of the control plane, on their way to Kafka."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from agents.broker.producer import Producer, write_all
from agents.broker.records import Output
from agents.broker.wire import Wire
from schemas.contract import record_type
from schemas.record_key import SEPARATOR
from schemas.topics import TOPICS
from store.distributions import Control, OutboxEntry


async def publish_outbox(control: Control, wire: Wire, producer: Producer) -> int:
    """Publish everything that waits, in order; how many. Raises TryLater when Kafka does not acknowledge in time."""

    async def publish(entries: Sequence[OutboxEntry]) -> None:
        outputs = [_output(entry, wire) for entry in entries]
        await write_all(producer, outputs)

    return await control.publish_outbox(publish)


def _output(entry: OutboxEntry, wire: Wire) -> Output:
    if entry.payload is None:
        project_id, _, identity = entry.key.partition(SEPARATOR)
        return Output(wire.topic(entry.topic), wire.key(project_id, identity), None)
    record: Any = msgspec.json.decode(entry.payload, type=record_type(entry.topic))
    is_of_project = TOPICS[entry.topic].key == "project"
    key = entry.key.encode() if is_of_project else wire.key(record.project_id, entry.key)
    return Output(wire.topic(entry.topic), key, wire.codec(entry.topic).encode(record))
