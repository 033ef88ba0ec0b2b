"""What the control plane has decided, on its way to Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from agents.broker.producer import Producer, RefusedByBroker
from agents.broker.records import Output
from agents.wiring import Wiring
from schemas.distribution import Distribution
from schemas.errors import TryLater
from store.distributions import Control, OutboxEntry

_TIMEOUT = 30.0


async def publish_outbox(control: Control, wiring: Wiring, producer: Producer) -> int:
    """Publish everything that waits, in order; how many. Raises TryLater when Kafka does not acknowledge in time."""

    async def publish(entries: Sequence[OutboxEntry]) -> None:
        outputs = [_output(entry, wiring) for entry in entries]
        await write_all(producer, outputs)

    return await control.publish_outbox(publish)


async def write_all(producer: Producer, outputs: Sequence[Output], *, patience: float = _TIMEOUT) -> None:
    """Write records and wait until all are acknowledged. Raises TryLater where that takes longer than `patience`."""
    loop = asyncio.get_running_loop()
    futures: list[asyncio.Future[None]] = [loop.create_future() for _ in outputs]
    for output, future in zip(outputs, futures, strict=True):

        def report(error: Any, record: Any, future: asyncio.Future[None] = future) -> None:
            _resolve(future, error and RefusedByBroker(error, record))

        producer.produce(output, report)
    await producer.room()
    try:
        await asyncio.wait_for(asyncio.gather(*futures), patience)
    except (TimeoutError, RuntimeError) as error:
        raise TryLater(f"Kafka did not take the records: {str(error) or 'no acknowledgement in time'}") from error


def _resolve(future: asyncio.Future[None], error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)


def _output(entry: OutboxEntry, wiring: Wiring) -> Output:
    value = None
    if entry.payload is not None:
        value = wiring.codec(entry.topic).encode(msgspec.json.decode(entry.payload, type=Distribution))
    return Output(wiring.topic(entry.topic), entry.key.encode(), value)
