"""Slots: how many messages are under way to each destination, where the bound may change any second."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Callable

from schemas.destination import Destination


class Slots:
    """First come, first served. `most_of` is the bound of a destination now; with 0 nobody waits: others take it."""

    def __init__(self, most_of: Callable[[Destination], int]) -> None:
        self._most_of = most_of
        self._taken: Counter[Destination] = Counter()
        self._waiting: defaultdict[Destination, deque[asyncio.Future[bool]]] = defaultdict(deque)

    def one(self, destination: Destination) -> Slot:
        """A slot, for as long as the context lasts; False where it is to be sent away."""
        return Slot(self, destination)

    def taken(self, destination: Destination) -> int:
        """The number of messages under way."""
        return self._taken[destination]

    def changed(self, destination: Destination) -> None:
        """The bound may be another one: who waits is served, or sent away where it is 0."""
        waiting = self._waiting.get(destination)
        most = self._most_of(destination) if waiting else 0
        while waiting and (most == 0 or self._taken[destination] < most):
            self._serve(destination, waiting.popleft(), has_one=most > 0)
        if not waiting:
            self._waiting.pop(destination, None)

    def all_changed(self) -> None:
        """The bound of every destination may be another one."""
        for destination in list(self._waiting):
            self.changed(destination)

    async def take(self, destination: Destination) -> bool:
        """Wait for a slot; False where it is to be sent away."""
        if self._taken[destination] < self._most_of(destination) and destination not in self._waiting:
            self._taken[destination] += 1
            return True
        served = asyncio.get_running_loop().create_future()
        self._waiting[destination].append(served)
        try:
            return bool(await served)
        except asyncio.CancelledError:
            if served.done() and not served.cancelled() and served.result():
                self.release(destination)
            raise

    def _serve(self, destination: Destination, served: asyncio.Future[bool], *, has_one: bool) -> None:
        if not served.done():
            self._taken[destination] += has_one
            served.set_result(has_one)

    def release(self, destination: Destination) -> None:
        """One that was taken is free."""
        self._taken[destination] -= 1
        if not self._taken[destination]:
            del self._taken[destination]
        if destination in self._waiting:
            self.changed(destination)


class Slot:
    """A slot as a context: a class, since a generator costs each message four times as much."""

    __slots__ = "_destination", "_has_one", "_slots"

    def __init__(self, slots: Slots, destination: Destination) -> None:
        self._slots, self._destination, self._has_one = slots, destination, False

    async def __aenter__(self) -> bool:
        self._has_one = await self._slots.take(self._destination)
        return self._has_one

    async def __aexit__(self, *_: object) -> None:
        if self._has_one:
            self._slots.release(self._destination)
