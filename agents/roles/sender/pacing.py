"""Turns: when a message may leave for its destination, and what that destination made of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

import structlog

from agents.roles.sender.slices import Slices
from schemas.destination import Destination
from schemas.receipt import Accepted, Receipt, Refused, Throttled
from streams.sending.pacing import IN_MEMORY, Pace

log = structlog.get_logger()

_MOST_TAKEN = 100_000
"""Destinations of which is known when they took something last."""
_WAITS = 0.3
"""Of the time by which a message may leave after its turn, which may have been used up when it had it."""
_MANY, _REMEMBERED = 1000, 60.0
"""So many destinations are known before those are forgotten that were not asked for so many seconds."""


class Paces:
    """The pace of each destination that this process knows, by its steady clock.

    Where `slices` has one of it, senders share it, and messages leave in the turns that it has.
    """

    def __init__(self, slices: Slices | None = None, *, ticks: Callable[[], float] = time.monotonic) -> None:
        self._ticks = ticks
        self.slices = slices or Slices(ticks=ticks)
        self._paces: dict[Destination, Pace] = {}
        self._changed: dict[Destination, asyncio.Event] = {}
        self._taken: dict[Destination, float] = {}
        self._many = _MANY

    async def turn(self, destination: Destination, patience: float | None = None) -> float | None:
        """Wait for a turn: the moment at which the message leaves, or None where that is not within `patience`."""
        if (shared := self.slices.paced(destination)) is not None:
            return await self.slices.turn(shared, patience)
        deadline = self._ticks() + (IN_MEMORY if patience is None else patience)
        while True:
            now = self._ticks()
            pace = self._of(destination)
            wait = pace.wait_at(now)
            if wait == 0.0:
                self._put(destination, pace.left(now))
                return now
            if now + (wait or 0.0) >= deadline:
                return None
            await self._change(destination, deadline - now if wait is None else wait)

    def heard(self, destination: Destination, left_at: float, receipt: Receipt | None, asked: float = 0.0) -> None:
        """Take in what came back for a message that left at a time; None where it was not sent after all."""
        pace, now = self._of(destination), self._ticks()
        shared = self.slices.of(destination)
        is_paced = shared is not None and shared.is_paced
        if isinstance(receipt, Throttled) and pace.closed_at is None and not is_paced:
            log.warning("destination_throttled", **destination.named, why=receipt.detail)
            shared = self.slices.learn(destination, pace.rate(now))
        elif asked and shared is None:  # nothing is left of a window, though it took this one
            shared = self.slices.learn(destination, 0.0)
        if shared is not None:
            self.slices.heard(shared, receipt, left_at, asked)
        pace = pace.counted(receipt, now) if is_paced else pace.heard(receipt, left_at, now, asked)
        self._put(destination, pace)
        if isinstance(receipt, Accepted | Refused):
            self._note_taken(destination, now)

    def is_missed(self, destination: Destination, left_at: float) -> bool:
        """True where a message that had its turn at a time has not left for too long: another one is near by now."""
        shared = self.slices.paced(destination)
        return shared is not None and shared.is_paced and self._ticks() - left_at > shared.late * _WAITS

    def hurry(self, destination: Destination) -> None:
        """Try it now."""
        if (shared := self.slices.of(destination)) is not None:
            self.slices.hurry(shared)
        if destination in self._paces:
            self._put(destination, self._paces[destination].hurried())

    def capacity(self, destination: Destination, most: int) -> int:
        """The number of messages for a destination that are wanted in memory, at most `most`."""
        if (shared := self.slices.of(destination)) is not None:
            most = shared.capacity(most, self._ticks())
            if shared.is_paced:
                return most
        pace = self._paces.get(destination)
        return most if pace is None else pace.capacity(most, self._ticks())

    def until_next(self, destination: Destination) -> float:
        """Seconds until a destination may be asked again."""
        if (shared := self.slices.paced(destination)) is not None:
            return shared.wait(self._ticks())
        return self._of(destination).wait_at(self._ticks()) or 0.0

    def soonest(self, most: float) -> float:
        """Seconds until the first of those that are held back may be asked again, at most `most`."""
        now = self._ticks()
        waits = [wait for one in self._held_back if (wait := self._of(one).wait_at(now))]
        return min([most, *waits, *self.slices.soonest()])

    @property
    def known(self) -> list[Destination]:
        """Destinations whose pace is held back."""
        return list({*self._held_back, *self.slices.users})

    @property
    def _held_back(self) -> list[Destination]:
        return [one for one, pace in self._paces.items() if pace.closed_at is not None or pace.gap]

    @property
    def closed(self) -> int:
        """The number of destinations that take nothing for now."""
        return sum(pace.closed_at is not None for pace in self._paces.values()) + self.slices.closed

    def taken_by(self, destination: Destination) -> int:
        """The number of messages that a destination has taken in all."""
        return self._of(destination).total

    def took_within(self, destination: Destination, seconds: float) -> bool:
        """True where this process saw a destination take or refuse a message so long ago at most."""
        taken_at = self._taken.get(destination)
        return taken_at is not None and self._ticks() - taken_at < seconds

    def _note_taken(self, destination: Destination, now: float) -> None:
        """Remember it for longer than a pace, the latest last."""
        self._taken.pop(destination, None)
        while len(self._taken) >= _MOST_TAKEN:
            del self._taken[next(iter(self._taken))]
        self._taken[destination] = now

    def _of(self, destination: Destination) -> Pace:
        return self._paces.get(destination) or Pace.new(self._ticks())

    def _put(self, destination: Destination, pace: Pace) -> None:
        if destination not in self._paces and len(self._paces) >= self._many:
            self._forget()
        self._paces[destination] = pace
        if destination in self._changed:
            self._changed.pop(destination).set()

    def _forget(self) -> None:
        """Drop those that are at rest and have nothing to be remembered."""
        now = self._ticks()
        self._paces = {
            one: pace
            for one, pace in self._paces.items()
            if pace.closed_at is not None or pace.gap or now - pace.last_left < _REMEMBERED
        }
        self._many = max(_MANY, 2 * len(self._paces))  # where all are at work, not each new one has them all looked at

    async def _change(self, destination: Destination, seconds: float) -> None:
        event = self._changed.setdefault(destination, asyncio.Event())
        with suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), seconds)
