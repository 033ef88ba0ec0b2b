"""The pace at which a destination may be asked: learned from what it takes, and from where it says that it is too much.

A destination that says so is closed. One message at a time then tries whether it takes any again, after waits that
grow; when it does, it is open, at the rate that it has kept up until then and a little above, which grows while all
goes well. So it is never idle for long while it could take something, and seldom asked in vain. Times are of a steady
clock, in seconds.
"""

from __future__ import annotations

import math
from typing import assert_never

import msgspec
from msgspec.structs import replace

from schemas.receipt import Accepted, Blocked, Deferred, Gone, Receipt, Refused, Throttled, Unanswered

IN_MEMORY = 5.0
"""Seconds for which a message waits for its turn in memory; the ledger keeps it for longer."""

_FIRST_WAIT = 1.0
_LONGEST_WAIT = 60.0
_WAIT_GROWS = 1.25
_ABOVE_MEASURED = 0.9
_GAP_SHRINKS, _GAP_SHRINKS_LATER, _SOON = 0.99, 0.95, 10
"""With each message that is taken, and the more after so many: the limit may be another one now."""
_LONGEST_GAP = 60.0
_NO_GAP = 0.002
"""A shorter gap counts as 0."""
_MOST_AT_ONCE = 2.0
"""A new measurement changes the gap by at most this factor."""
_AT_REST = 5.0
"""Seconds without a departure after which what was accepted before says nothing of the rate."""


class Pace(msgspec.Struct, frozen=True):
    """The state of one destination. `gap` is between two departures, 0 where they are not held back.

    `closed_at` is None while it is open. `accepted` counts since `since`, for the rate; `total` since ever.
    """

    since: float
    accepted: int = 0
    gap: float = 0.0
    next_at: float = 0.0
    last_left: float = 0.0
    closed_at: float | None = None
    wait: float = 0.0
    is_tried: bool = False
    total: int = 0

    @classmethod
    def new(cls, now: float) -> Pace:
        """The pace of a destination that was never asked."""
        return cls(since=now)

    def rate(self, now: float) -> float:
        """Messages a second that it has taken lately; 0 where it took none."""
        return self.accepted / max(now - self.since, 1.0)

    def counted(self, receipt: Receipt | None, now: float) -> Pace:
        """Take in what came back where others say when messages leave: what it took counts, and nothing is learned."""
        took = isinstance(receipt, Accepted | Refused | Gone)
        return replace(Pace.new(now), total=self.total + took)

    def wait_at(self, now: float) -> float | None:
        """Seconds until the next message may leave; None where that depends on the one that tries."""
        return None if self.is_tried else max(0.0, self.next_at - now)

    def capacity(self, most: int, now: float) -> int:
        """The number of messages that are wanted in memory, at most `most`."""
        if self.closed_at is not None:
            wait = self.wait_at(now)
            return 1 if wait is not None and wait <= IN_MEMORY else 0
        return most if not self.gap else min(most, math.ceil(IN_MEMORY / self.gap))

    def left(self, now: float) -> Pace:
        """A message has left."""
        if self.closed_at is not None:
            return replace(self, is_tried=True, last_left=now)
        if now - self.last_left > _AT_REST + 2 * self.gap:
            return replace(self, since=now, accepted=0, next_at=now + self.gap, last_left=now)
        return replace(self, next_at=now + self.gap, last_left=now)

    def heard(self, receipt: Receipt | None, left_at: float, now: float, asked: float = 0.0) -> Pace:
        """Take in what came back for a message that left at a time; None where the destination was not asked after all.

        `asked` is the wait that the destination named.
        """
        match receipt:
            case Throttled():
                return self.throttled(left_at, now, asked)
            case Accepted() | Refused() | Gone():
                return self.took(left_at, now)
            case Deferred() | Unanswered() | Blocked():
                return self.unknown(left_at, now)
            case None:
                return self.given_back(left_at, now)
            case _:
                assert_never(receipt)

    def took(self, left_at: float, now: float) -> Pace:
        """The destination has taken a message that left at a time, or refused it for a reason of its own."""
        if self.closed_at is None:
            gap = self.gap * (_GAP_SHRINKS if self.accepted < _SOON else _GAP_SHRINKS_LATER)
            gap = gap if gap > _NO_GAP else 0.0
            return replace(self, accepted=self.accepted + 1, gap=gap, total=self.total + 1)
        if left_at < self.closed_at:
            return replace(self, accepted=self.accepted + 1, total=self.total + 1)
        gap, total = self._measured(now), self.total + 1
        return replace(Pace.new(now), accepted=1, gap=gap, next_at=left_at + gap, last_left=left_at, total=total)

    def throttled(self, left_at: float, now: float, asked: float = 0.0) -> Pace:
        """It was too much. `asked` is the wait that the destination named."""
        if self.closed_at is None:
            wait = max(_FIRST_WAIT, asked)
            return replace(self, closed_at=now, wait=_FIRST_WAIT, next_at=now + wait)
        if left_at < self.closed_at:  # it was under way when the destination closed
            return replace(self, next_at=max(self.next_at, now + asked))
        wait = min(self.wait * _WAIT_GROWS, _LONGEST_WAIT)
        return replace(self, is_tried=False, wait=wait, next_at=now + max(wait, asked))

    def unknown(self, left_at: float, now: float) -> Pace:
        """A message that left at a time came to nothing, which says nothing of the pace."""
        if self.closed_at is None or left_at < self.closed_at:
            return self
        return replace(self, is_tried=False, next_at=now + self.wait)

    def given_back(self, left_at: float, now: float) -> Pace:
        """A message that should have left at a time did not: the turn is free."""
        is_last = self.last_left <= left_at and (self.closed_at is None or left_at >= self.closed_at)
        return replace(self, is_tried=False, next_at=now) if is_last else self

    def hurried(self) -> Pace:
        """Somebody wants it tried now; what was learned of its rate is forgotten."""
        return replace(self, gap=0.0, next_at=0.0, wait=_FIRST_WAIT)

    def _measured(self, now: float) -> float:
        gap = (now - self.since) / max(1, self.accepted) * _ABOVE_MEASURED
        if self.gap:
            gap = min(max(gap, self.gap / _MOST_AT_ONCE), self.gap * _MOST_AT_ONCE)
        return min(gap, _LONGEST_GAP) if gap > _NO_GAP else 0.0
