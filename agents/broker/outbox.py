"""What the control plane has decided, on its way to Kafka."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from agents.broker.producer import Producer, write_all
from agents.broker.records import Output
from agents.broker.wire import Wire
from schemas.contract import record_type
from store.distributions import Control, OutboxEntry


async def publish_outbox(control: Control, wire: Wire, producer: Producer) -> int:
    """Publish everything that waits, in order; how many. Raises TryLater when Kafka does not acknowledge in time."""

    async def publish(entries: Sequence[OutboxEntry]) -> None:
        outputs = [_output(entry, wire) for entry in entries]
        await write_all(producer, outputs)

    return await control.publish_outbox(publish)


def _output(entry: OutboxEntry, wire: Wire) -> Output:
    value = None
    if entry.payload is not None:
        value = wire.codec(entry.topic).encode(msgspec.json.decode(entry.payload, type=record_type(entry.topic)))
    return Output(wire.topic(entry.topic), entry.key.encode(), value)
