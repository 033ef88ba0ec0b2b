"""Capacity: how many deliveries for each destination are held in memory, so that memory is bounded and shared."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from agents.roles.sender.breakers import Breakers
from agents.roles.sender.pacing import Paces
from agents.roles.sender.routes import FailoverOf, Routes, no_failover
from agents.roles.sender.share import Share
from schemas.destination import Destination

_HELD_PER_SLOT = 4
"""Deliveries in memory for each that is being sent; more stay in the ledger."""
_LEFT_BY_BULK = 4
_CAPACITY_WAIT = 0.5
"""Seconds within which a destination that is merely busy takes one more."""
_TAKES_WITHIN = 0.02
"""Seconds within which a delivery to it has ended, or it is slow, not busy: its neighbours wait meanwhile."""
_PASSED_FOR, _LONGEST_PASSED = 1.0, 30.0
"""Seconds for which a slow destination is passed over, its deliveries in the ledger; twice as long each time."""


@dataclass(slots=True)
class _Held:
    """Deliveries in memory for one destination: when one of them ended last, and until when it is passed over."""

    count: int = 0
    released_at: float = 0.0
    passed_until: float = 0.0
    passed_for: float = 0.0


class Capacity:
    """The deliveries held for each destination; `share` bounds what is under way to one of them.

    A destination takes less where its pace is held back, a probe alone where its breaker is open, and nothing while it
    is `paused`; but as much as the account takes that has its place then. What is held counts where it leaves for.
    """

    def __init__(
        self,
        paces: Paces,
        *,
        share: Share,
        breakers: Breakers | None = None,
        failover: FailoverOf = no_failover,
    ) -> None:
        self._paces, self._breakers, self._share = paces, breakers or Breakers(), share
        self.routes = Routes(self._breakers, failover)
        self._held: dict[Destination, _Held] = {}
        self._freed = asyncio.Event()

    @property
    def most(self) -> int:
        """The number that is held for one destination at most."""
        return self._share.part * _HELD_PER_SLOT

    @property
    def paused(self) -> set[Destination]:
        """Destinations that nothing is sent to."""
        return self.routes.paused

    @paused.setter
    def paused(self, paused: set[Destination]) -> None:
        self.routes.paused = paused

    @property
    def held(self) -> Mapping[Destination, int]:
        """The deliveries in memory."""
        return {destination: held.count for destination, held in self._held.items()}

    def take(self, destination: Destination) -> None:
        """One delivery more is held."""
        held = self._held.get(destination) or self._held.setdefault(destination, _Held())
        held.count += 1

    def release(self, destination: Destination) -> bool:
        """One fewer; whether none is left."""
        held = self._held[destination]
        held.count, held.released_at = held.count - 1, time.monotonic()
        if not held.count:
            del self._held[destination]
        self._freed.set()
        return not held.count

    def has(self, destination: Destination) -> bool:
        """True where one more delivery for a destination may be held."""
        return self._free(destination) > 0

    def free(self) -> dict[Destination, int]:
        """The number that each destination takes yet, of those that do not take as many as any other."""
        known = dict.fromkeys((*self._held, *self._paces.known, *self._breakers.stopped))
        passing = self.routes.passing()
        free = {one: self._free(one) for one in known} | dict.fromkeys(self.paused, 0)
        return free | {one: self._free(one) for one in passing}

    def free_for_bulk(self) -> dict[Destination, int]:
        """The number that each of those takes yet of what is sent to many: a quarter of its places is for the rest."""
        return {one: max(0, free - self.most // _LEFT_BY_BULK) for one, free in self.free().items()}

    def saturated(self) -> set[Destination]:
        """Those of them that take none now."""
        return {one for one, free in self.free().items() if not free}

    def is_busy(self) -> bool:
        """True where some destination is merely busy, and may take one more any moment."""
        return any(held.count >= self.most - self.most // _LEFT_BY_BULK for held in self._held.values())

    def _free(self, destination: Destination) -> int:
        own = 0 if destination in self.paused else self._left(destination)
        through = self.routes.of(destination)
        return own if through == destination else own + self._left(through)

    def _left(self, destination: Destination) -> int:
        held = self._held.get(destination)
        most = self._breakers.capacity(destination, self._paces.capacity(destination, self.most))
        return max(0, most - held.count) if held else most

    async def wait_for(self, destination: Destination) -> bool:
        """True where a destination takes one more within a moment.

        One that did not is not waited for again for a while, so that a slow or dead destination cannot keep the
        deliveries to others from being taken in.
        """
        if self.has(destination):
            return True
        held, began = self._held.get(destination), time.monotonic()
        if held is None or held.count < self.most:  # it takes none because of its pace, not for being busy
            return False
        if destination in self.paused or held.passed_until > began:
            return False
        while not self.has(destination):
            took_at = max(began, held.released_at)
            left = min(began + _CAPACITY_WAIT, took_at + _TAKES_WITHIN) - time.monotonic()
            if left <= 0:
                _pass_over(held)
                return False
            self._freed.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._freed.wait(), left)
        held.passed_for = 0.0
        return True


def _pass_over(held: _Held) -> None:
    held.passed_for = min(2 * held.passed_for or _PASSED_FOR, _LONGEST_PASSED)
    held.passed_until = time.monotonic() + held.passed_for
