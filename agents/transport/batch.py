"""A batch: the records of one fetch of one partition, and the account of everything they caused."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from agents.transport.producer import Producer

if TYPE_CHECKING:
    from faust.types import TP

_QUEUE_FULL_PAUSE = 0.005


class Output(NamedTuple):
    """One record to write. `partition` -1 lets the key decide (murmur2)."""

    topic: str
    key: bytes | None
    value: bytes | None
    partition: int = -1
    headers: list[tuple[str, bytes]] | None = None


class Incoming(Protocol):
    """A fetched record, as aiokafka hands it over."""

    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def timestamp(self) -> int: ...


class BatchOwner(Protocol):
    """Who is told how a batch ends."""

    def batch_done(self, batch: Batch) -> None:
        """Called in the loop's thread: closed, and every output acknowledged. May be called twice."""

    def batch_done_threadsafe(self, batch: Batch) -> None:
        """The same, from the producer's thread."""

    def delivery_failed_threadsafe(self, error: BaseException) -> None:
        """An output was refused by the broker; from the producer's thread."""


class Batch:
    """Complete when the agent has closed it and the broker has acknowledged every output.

    `sent` is written by the loop's thread only and `acked` by the producer's thread only, so neither needs a lock:
    whoever of the two comes last sees `closed and acked == sent`.
    """

    __slots__ = (
        "acked", "closed", "complete", "epoch", "message", "next_offset", "owner", "producer", "records", "sent", "tp",
    )  # fmt: skip

    def __init__(self, tp: TP, records: list[Incoming], *, owner: BatchOwner, producer: Producer, epoch: int) -> None:
        self.tp = tp
        self.records = records
        self.next_offset = records[-1].offset + 1
        self.owner = owner
        self.producer = producer
        self.epoch = epoch
        self.sent = self.acked = 0
        self.closed = self.complete = False
        self.message: Any = None

    @property
    def partition(self) -> int:
        """The partition that the records came from; outputs of the same customer go to the same number."""
        return int(self.tp.partition)

    async def emit(self, outputs: Iterable[Output]) -> None:
        """Hand the outputs to the producer, in order. Waits, without holding the loop, while its queue is full."""
        produce, report = self.producer.produce, self._on_delivery
        for output in outputs:
            self.sent += 1
            while not produce(output, report):
                await asyncio.sleep(_QUEUE_FULL_PAUSE)

    def close(self) -> None:
        """The agent is done with the batch; no further output will be emitted."""
        self.closed = True
        if self.acked == self.sent:
            self.owner.batch_done(self)

    def _on_delivery(self, error: BaseException | None) -> None:
        """In the producer's thread. A refused output is never counted, so its batch can never become committable."""
        if error is not None:
            self.owner.delivery_failed_threadsafe(error)
            return
        self.acked += 1
        if self.closed and self.acked == self.sent:
            self.owner.batch_done_threadsafe(self)
