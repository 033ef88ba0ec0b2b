"""The leases of deliveries in memory, ours and those that may be taken over: by a steady clock, never the wall's.

The database gives leases and ends them by its own clock. Here they are counted from before it was asked, so never for
longer than it gives them: what cannot be renewed in time is not sent, since somebody else may have it by then.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from datetime import timedelta

_SETTLING_SECONDS = 10.0
"""Within these, and half a lease, everybody who lives has renewed what is theirs after the database was away."""


class Leases:
    """The leases of one sender. `length` is how long the database gives one for."""

    def __init__(self, length: timedelta, *, ticks: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._ticks = length.total_seconds(), ticks
        self._until: dict[str, float] = {}
        self._in_touch_since: float | None = None
        self.are_over = False

    def taken(self, delivery_ids: Iterable[str], asked: float) -> None:
        """The database has leased these, asked at a moment of the steady clock."""
        self._until.update(dict.fromkeys(delivery_ids, asked + self._seconds))

    def renewed(self, held: Collection[str], kept: Collection[str], asked: float) -> None:
        """Of those held, these were still ours; the rest is done, or somebody else's."""
        until, now = asked + self._seconds, self._ticks()
        self._until = {
            one: until if one in kept else its_own
            for one, its_own in self._until.items()
            if one in kept or (its_own > now and (one not in held or its_own > until))
        }

    def let_go(self, delivery_ids: Iterable[str]) -> None:
        """Do not send these, unless that has begun."""
        for one in delivery_ids:
            self._until.pop(one, None)

    def end(self) -> None:
        """Do not send anything more, unless that has begun: neither what is held nor what is taken from here on."""
        self.are_over = True

    def is_ours(self, delivery_id: str) -> bool:
        """True where a delivery may be sent now."""
        return not self.are_over and self._until.get(delivery_id, 0.0) > self._ticks()

    def in_touch(self) -> None:
        """The database has answered."""
        if self._in_touch_since is None:
            self._in_touch_since = self._ticks()

    def out_of_touch(self) -> None:
        """It has not; others may not have reached it either, and may hold what has been accepted meanwhile."""
        self._in_touch_since = None

    def may_take_over(self) -> bool:
        """True where an ended lease of somebody else means that they are gone."""
        since = self._in_touch_since
        return since is not None and self._ticks() - since >= self._seconds / 2 + _SETTLING_SECONDS
