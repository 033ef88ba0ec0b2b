"""Pauses between two questions of a fetcher about the same partition, the same leaders, or for some partitions alone.

Without them it asks on at once, as fast as brokers refuse: they wait for records, and for nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from typing import Any

PAUSE = 0.1
"""Seconds, as the client rests after a request that failed whole."""
_LEADERS = "leaders"


class Pauses:
    """Memory of what was refused, or asked, less than a pause ago."""

    def __init__(self, *, seconds: float = PAUSE, ticks: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._ticks = seconds, ticks
        self._until: dict[Any, float] = {}

    def refused(self, tps: Iterable[Any]) -> None:
        """A broker has refused to say anything of these partitions."""
        until = self._ticks() + self._seconds
        self._until |= dict.fromkeys(tps, until)

    def may_ask_for_leaders(self) -> bool:
        """True where the cluster may be asked again for leaders that it had not; from now on that is so no more."""
        if _LEADERS in self._until:
            return False
        self._until[_LEADERS] = self._ticks() + self._seconds
        return True

    def partitions(self) -> Collection[Any]:
        """The partitions that are not asked for yet."""
        now = self._ticks()
        self._until = {one: until for one, until in self._until.items() if until > now}
        return self._until.keys() - {_LEADERS}

    def rest(self, seconds: float) -> float:
        """So many seconds, or the time until the first pause is over."""
        return max(0.0, min([seconds, *(until - self._ticks() for until in self._until.values())]))


class Patience:
    """The wait of a fetch for some partitions, while the others are full: these may have room soon, so it is short.

    It grows while nothing gets on, up to the wait where all are full: while a database was away, fifty fetches a second
    took a tenth of a core of a sender, and of a recorder.
    """

    def __init__(self, least: float, most: float) -> None:
        self._least, self._most, self._last = least, most, least / 2

    def seconds(self, *, has_moved: bool) -> float:
        """The wait of the next one; `has_moved`, where work of any partition has ended since the last."""
        self._last = self._least if has_moved else min(2 * self._last, self._most)
        return self._last


class Rest:
    """An assignment without some of its partitions, as far as a fetcher looks at it to see what is to be asked."""

    def __init__(self, assignment: Any, without: Collection[Any]) -> None:
        self.tps = [tp for tp in assignment.tps if tp not in without]
        self.state_value = assignment.state_value
