"""Queues in which something waits, as far as this process has seen: claims ask there, and nowhere else."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime, timedelta
from itertools import zip_longest
from typing import NamedTuple, cast

from schemas.closed import ChannelName
from schemas.destination import Destination

_MOST = 100_000
"""Queues that are known. What is due the soonest stays; looks find the others again."""
_OF_ONE = 16
"""Queues of one destination that are asked at once."""
_IN_VAIN = 1.0
"""Seconds until a queue is asked again whose oldest is due and was not to be had: another sender has it, or a pause."""
_BEGINNING = datetime.min.replace(tzinfo=UTC)


class Queue(NamedTuple):
    """A lane of a destination and of a distribution: what takes turns."""

    project_id: str
    channel: str
    destination: str
    lane: str
    distribution_id: str

    @property
    def of(self) -> Destination:
        """The destination."""
        return Destination(self.project_id, cast(ChannelName, self.channel), self.destination)


class _Seen(NamedTuple):
    since: datetime
    """Nothing older waits in the queue, as far as is known: dead index entries before it are not read."""
    due: float
    """When the oldest is due, by the steady clock; infinity where none waits."""


_Destinations = dict[Destination, dict[Queue, _Seen]]


class Queues:
    """The queues by project and destination, those first that were asked the longest ago.

    `ticks` is the process's steady clock.
    """

    def __init__(self, ticks: Callable[[], float], *, most: int = _MOST) -> None:
        self._ticks, self._most = ticks, most
        self._count = 0
        self._known: dict[str, _Destinations] = {}

    def found(self, queue: Queue, since: datetime, due_in: timedelta) -> None:
        """The oldest of a queue, from a look at all of it."""
        self._put(queue, _Seen(since, self._ticks() + due_in.total_seconds()))

    def expect(self, queue: Queue, since: datetime | None, wait: timedelta) -> None:
        """Something was put in a queue, not older than `since` where that is known."""
        due, seen = self._ticks() + wait.total_seconds(), self._seen(queue)
        if seen:
            self._put(queue, _Seen(min(since or seen.since, seen.since), min(seen.due, due)))
        else:
            self._put(queue, _Seen(since or _BEGINNING, due))

    def heard(self, queue: Queue, since: datetime | None, due_in: timedelta | None, *, in_vain: bool) -> None:
        """Take in what a claim saw: the oldest of a queue before it, and when that is due; None where none is."""
        seen = self._seen(queue)
        if seen is None:
            return
        if since is None or due_in is None:
            self._put(queue, _Seen(seen.since, math.inf))
        else:
            wait = max(due_in.total_seconds(), _IN_VAIN if in_vain else 0.0)
            self._put(queue, _Seen(since, self._ticks() + wait))

    def due(self, full: Collection[Destination], most: int) -> list[tuple[Queue, datetime]]:
        """Queues whose oldest is due, at most so many; they come last the next time. Nothing of `full` destinations.

        Projects take turns, so that the queues of one cannot fill a claim.
        """
        now, asked = self._ticks(), list[tuple[Queue, datetime]]()
        for queues in self._in_turn(now, full):
            those = [(queue, seen.since) for queue, seen in queues.items() if seen.due <= now]
            asked += those[: min(_OF_ONE, most - len(asked))]
            if len(asked) >= most:
                break
        for queue, _ in asked:
            self._last(queue)
        return asked

    def _in_turn(self, now: float, full: Collection[Destination]) -> Iterator[dict[Queue, _Seen]]:
        def of(destinations: _Destinations) -> Iterator[dict[Queue, _Seen]]:
            for destination, queues in destinations.items():
                if destination not in full and any(seen.due <= now for seen in queues.values()):
                    yield queues

        for one_of_each in zip_longest(*map(of, self._known.values())):
            yield from filter(None, one_of_each)

    def _last(self, queue: Queue) -> None:
        destinations = self._known.pop(queue.project_id)
        queues = destinations.pop(queue.of)
        queues[queue] = queues.pop(queue)
        destinations[queue.of] = queues
        self._known[queue.project_id] = destinations

    def soonest(self, full: Collection[Destination]) -> float:
        """Seconds until the first is due, not of `full` destinations; infinity where none waits."""
        waits = (
            seen.due
            for destinations in self._known.values()
            for destination, queues in destinations.items()
            if destination not in full
            for seen in queues.values()
        )
        return max(0.0, min(waits, default=math.inf) - self._ticks())

    def _seen(self, queue: Queue) -> _Seen | None:
        return self._known.get(queue.project_id, {}).get(queue.of, {}).get(queue)

    def _put(self, queue: Queue, seen: _Seen) -> None:
        queues = self._known.setdefault(queue.project_id, {}).setdefault(queue.of, {})
        self._count += queue not in queues
        queues[queue] = seen
        if self._count > self._most:
            self._forget()

    def _forget(self) -> None:
        """Keep the half that is due the soonest."""
        every = [
            (seen.due, queue, seen)
            for destinations in self._known.values()
            for queues in destinations.values()
            for queue, seen in queues.items()
        ]
        self._known, self._count = {}, 0
        for _, queue, seen in sorted(every)[: self._most // 2]:
            self._put(queue, seen)
