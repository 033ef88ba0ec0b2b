"""A batch: the records of one fetch of one partition, and the account of everything they caused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from agents.broker.producer import Producer, RefusedByBroker
from agents.broker.records import Incoming, Output

if TYPE_CHECKING:
    from faust.types import TP


class Table(Protocol):
    """A table that batches write to."""

    @property
    def data(self) -> Any:
        """Its rows: `put(partition, key, value)`."""

    @property
    def changelog_topic_name(self) -> str:
        """The topic that keeps its writes."""


class BatchOwner(Protocol):
    """The one who is told how a batch ends."""

    def batch_done(self, batch: Batch) -> None:
        """Closed, and every output acknowledged."""

    def delivery_failed(self, error: BaseException) -> None:
        """An output was refused by the broker."""

    async def give_way(self, batch: Batch) -> None:
        """Let what is more urgent than a batch go first."""


FORGOTTEN = -1
"""The epoch of batches that are done again elsewhere or later: after a rebalance, a seek, or with another log."""


class Batch:
    """Complete when the agent has closed it and the broker has acknowledged every output.

    `written` holds, by changelog topic, the offset of the batch's last acknowledged record there. `rest` is what is
    still to be done where something is away that its records need: the others go on before it. `ending` is what goes on
    by itself before the batch is closed, while the next one is begun. `begun` is false while it waits behind other
    batches, `slices` how often it has let others go on since.

    A batch of the past emits and writes nothing: its records are read again, and its rows may be somebody else's.
    """

    __slots__ = (
        "acked", "begun", "closed", "complete", "ending", "epoch", "message", "next_offset", "owner", "producer",
        "records", "rest", "sent", "slices", "tp", "written",
    )  # fmt: skip

    def __init__(self, tp: TP, records: list[Incoming], *, owner: BatchOwner, producer: Producer, epoch: int) -> None:
        self.tp = tp
        self.records = records
        self.next_offset = records[-1].offset + 1
        self.owner = owner
        self.producer = producer
        self.epoch = epoch
        self.sent = self.acked = 0
        self.closed = self.complete = self.begun = False
        self.slices = 0
        self.message: Any = None
        self.rest: Callable[[], Awaitable[None]] | None = None
        self.ending: Callable[[], Awaitable[None]] | None = None
        self.written: dict[str, int] = {}

    @property
    def partition(self) -> int:
        """The partition that the records came from; outputs of the same customer go to the same number."""
        return int(self.tp.partition)

    @property
    def is_past(self) -> bool:
        """True where its records are read again."""
        return self.epoch == FORGOTTEN

    def emit(self, outputs: Iterable[Output]) -> None:
        """Hand outputs to the producer, in order. Await `room` before the next piece of work."""
        if self.is_past:
            return
        produce, report = self.producer.produce, self._on_delivery
        for output in outputs:
            self.sent += 1
            produce(output, report)

    def put(self, table: Table, key: bytes, value: bytes | None, then: Sequence[Output] = ()) -> None:
        """Write a row of the batch's partition, with its changelog record among the batch's outputs.

        The same write again changes nothing, so a redelivered batch is harmless. `then` leaves once the broker has
        the row: after a crash nothing has gone out that the row does not know of.
        """
        if self.is_past:
            return
        table.data.put(self.partition, key, value)
        self.sent += 1
        report = partial(self._on_row_delivery, then) if then else self._on_changelog_delivery
        self.producer.produce(Output(table.changelog_topic_name, key, value, self.partition), report)

    async def wait_for_capacity(self, *, goes_on: bool = False) -> None:
        """Wait, without holding the loop, until the producer has room; `goes_on`: in the midst of the same work."""
        await self.producer.wait_for_capacity(goes_on=goes_on)

    async def give_way(self) -> None:
        """Let other work of the process go on; one of a bulk topic waits for its turn."""
        self.slices += 1
        await asyncio.sleep(0)
        await self.owner.give_way(self)

    def take_rest(self) -> Callable[[], Awaitable[None]]:
        """The work that is left, for whoever does it."""
        rest, self.rest = self.rest, None
        assert rest is not None  # noqa: S101 - asked for where there is one
        return rest

    def close(self) -> None:
        """The agent is done with the batch; no further output will be emitted."""
        self.closed = True
        if self.acked == self.sent:
            self.owner.batch_done(self)

    def _on_row_delivery(self, then: Sequence[Output], error: Any, record: Any) -> None:
        """Reports come in the order of the log, so what leaves by them keeps it. Emitted before the row is counted:
        the batch is not complete in between."""
        if error is None:
            self.emit(then)
        self._on_changelog_delivery(error, record)

    def _on_changelog_delivery(self, error: Any, record: Any) -> None:
        if error is None:
            self.written[record.topic()] = record.offset()
        self._on_delivery(error, record)

    def _on_delivery(self, error: Any, record: Any) -> None:
        """A refused output is never counted, so its batch can never become committable."""
        if error is not None:
            self.owner.delivery_failed(RefusedByBroker(error, record))
            return
        self.acked += 1
        if self.closed and self.acked == self.sent:
            self.owner.batch_done(self)
