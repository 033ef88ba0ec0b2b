"""The part that this process has of what all senders together may have under way to a destination."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from agents.roles.sender.slices import SAFE_PART
from streams.sending.grants import part_of

_KNOWN_AFTER = 2.0
"""Seconds after which the others have heard of one that came, and leave it its part."""
_COUNTED_FOR = 5.0
"""Seconds for which the others count one that they do not hear of (`seen` in `store/sql/exchanges.sql`)."""


class Share:
    """All senders together have `total` under way; `part` of them this process, as far as it knows.

    One that comes has none until the others know of it; one that they count no more, since it does not reach the
    database, goes on with a tenth.
    """

    def __init__(self, total: int, *, ticks: Callable[[], float] = time.monotonic) -> None:
        self._total, self._ticks = total, ticks
        self.part = total
        self._begins_at, self._asked_at = -math.inf, math.inf

    def heard(self, live: int, before: int, asked_at: float) -> None:
        """So many senders are at work, and so many of them come before this one; asked at a moment of our clock."""
        if self._asked_at == math.inf and live > 1:
            self._begins_at = asked_at + _KNOWN_AFTER
        self._asked_at = asked_at
        self.part = part_of(self._total, live, before) if self._ticks() >= self._begins_at else 0

    def at(self, now: float) -> int:
        """The number of messages that may be under way to one destination."""
        if now > self._asked_at + _COUNTED_FOR:
            return max(1, int(self.part * SAFE_PART))
        return self.part
