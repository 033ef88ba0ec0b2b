"""Progress of each partition: the only owner of that knowledge.

Batches of a partition are entered in the order of the log. An offset may be committed when its batch and all before it
are complete. After a seek or a rebalance everything entered before is forgotten; a batch from before changes nothing.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agents.transport.batch import FORGOTTEN, Batch

if TYPE_CHECKING:
    from faust.types import TP


class OffsetRegression(RuntimeError):
    """A batch did not begin where the one before it ended, although nothing was forgotten between them."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The point at which a partition is full: at so many batches, or with small ones not before so many records.

    Few large batches are the cheapest, so while there is lag they are let grow; many small ones are needed where it is
    latency that counts. `most` is for batches however small: each has a place in a queue.

    `waiting`: the agent has not begun so many yet. What comes meanwhile is read as one batch later and costs less: at
    500 events/s beside releases, live batches of two records waited behind each other for 170 ms.
    """

    batches: int
    records: int
    most: int
    waiting: int

    def is_reached(self, queue: deque[Batch]) -> bool:
        """True where these are enough."""
        many = len(queue)
        if many >= self.waiting and not queue[-self.waiting].begun:
            return True
        return many >= self.batches and (many >= self.most or sum(len(one.records) for one in queue) >= self.records)


class Progress:
    """The batches in flight and the next offset to commit, by partition. Used in the loop's thread only."""

    def __init__(self) -> None:
        self.epoch = 0
        self._ended = 0
        self._in_flight: defaultdict[TP, deque[Batch]] = defaultdict(deque)
        self._next: dict[TP, int] = {}
        self._committed: dict[TP, int] = {}

    def enter(self, batch: Batch) -> None:
        """Enter a batch. Raises OffsetRegression when its records were fetched before the last one's end."""
        queue = self._in_flight[batch.tp]
        if queue and batch.records[0].offset < queue[-1].next_offset:
            raise OffsetRegression(
                f"{batch.tp}: offset {batch.records[0].offset} again after {queue[-1].next_offset - 1}"
            )
        queue.append(batch)

    def move(self, tp: TP, position: int) -> None:
        """The partition was read up to `position`: what is between that and the last batch holds no record.

        It may be committed with the last batch that is in flight, or at once where none is.
        """
        queue = self._in_flight[tp]
        if not queue:
            self._next[tp] = position
        else:
            queue[-1].next_offset = position

    def complete(self, batch: Batch) -> list[Batch]:
        """Mark a batch complete; the batches that may now be committed: with it, those that waited for it."""
        batch.complete = True
        if batch.epoch != self.epoch:
            return []
        self._ended += 1
        queue, committable = self._in_flight[batch.tp], []
        while queue and queue[0].complete:
            committable.append(queue.popleft())
            self._next[batch.tp] = committable[-1].next_offset
        return committable

    def next_offset(self, tp: TP) -> int | None:
        """The offset to commit, or None where nothing was completed since the last forgetting."""
        return self._next.get(tp)

    def sign(self, tp: TP) -> object:
        """Whatever changes while a partition gets on, beside its offset: nothing that hangs changes it.

        A batch that waits behind those of other partitions gets on with any of them; one in the work with each slice.
        """
        queue = self._in_flight.get(tp)
        if not queue:
            return None
        if queue[0].begun:
            return queue[0].slices
        return self._ended, sum(one.slices for each in self._in_flight.values() for one in each if one.begun)

    def committable(self) -> Iterator[TP]:
        """The partitions that have an offset to commit."""
        return iter(list(self._next))

    def is_news(self, tp: TP, offset: int) -> bool:
        """True where an offset is another one than the broker was last told."""
        return self._committed.get(tp) != offset

    def committed(self, offsets: Mapping[TP, int]) -> None:
        """The broker has taken these."""
        self._committed |= offsets

    def full(self, tps: Iterable[TP], limit: Limit) -> set[TP]:
        """Those partitions that have as much in flight as they may."""
        return {tp for tp in tps if limit.is_reached(self._in_flight[tp])}

    def is_working(self, except_topics: Collection[str]) -> bool:
        """True while an agent has a batch of another topic before it."""
        return any(
            not queue[-1].closed for tp, queue in self._in_flight.items() if queue and tp.topic not in except_topics
        )

    def busy(self) -> bool:
        """True while any batch is in flight."""
        return any(self._in_flight.values())

    def awaiting_reports(self) -> bool:
        """True while the head of some partition only waits for the broker's acknowledgements."""
        return any(queue and queue[0].closed for queue in self._in_flight.values())

    def forget_partition(self, tp: TP) -> None:
        """Start over with one partition, whose log is another one."""
        for batch in self._in_flight.pop(tp, ()):
            batch.epoch = FORGOTTEN
        self._next.pop(tp, None)
        self._committed.pop(tp, None)

    def forget(self) -> None:
        """Start over after a seek or a rebalance."""
        self.epoch += 1
        for queue in self._in_flight.values():
            for batch in queue:
                batch.epoch = FORGOTTEN
        self._in_flight.clear()
        self._next.clear()
        self._committed.clear()
