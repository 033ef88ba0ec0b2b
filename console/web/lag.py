"""The lag of recorders and of all groups, asked for now and then: pages neither wait for Kafka nor ask it each."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

import asyncpg

from agents.broker.groups import Groups, Member
from agents.wiring import Wiring
from console.control.lag import GroupLag, by_group
from console.control.recorded_lag import Behind, known_behind
from schemas.errors import TryLater

T = TypeVar("T")

_OLD_SECONDS = 30.0
"""The age from which on nothing is shown any more."""
_NOT_KNOWN = "Kafka does not answer: what is not recorded yet is not known"


@dataclass(frozen=True, slots=True)
class Look:
    """The processes of all groups at a moment, and how far each partition is."""

    members: Sequence[Member]
    groups: Sequence[GroupLag]


class _Asked(Generic[T]):
    """An answer that all who ask share: asked for anew `fresh` seconds after the last time, by one of them at a time.

    Nobody waits longer than `patience` seconds; where an answer that is not old can be shown, only who `waits` does.
    """

    def __init__(self, fresh: float, patience: float, *, waits: bool) -> None:
        self._fresh, self._patience, self._waits = fresh, patience, waits
        self._asking: asyncio.Task[None] | None = None
        self._asked_at = -math.inf
        self._answer: T | None = None
        self._answered_at = -math.inf

    async def get(self, ask: Callable[[], Awaitable[T | None]]) -> T | None:
        """The answer; None where there is not any that is not old. Raises whatever `ask` does to who waits for it."""
        clock = asyncio.get_running_loop().time
        if clock() - self._asked_at > self._fresh:
            if self._asking is None or self._asking.done():
                self._asking = asyncio.create_task(self._ask(ask))
            if self._waits or clock() - self._answered_at > _OLD_SECONDS:
                await asyncio.wait([self._asking], timeout=self._patience)
                if self._asking.done():
                    self._asking.result()
        return None if clock() - self._answered_at > _OLD_SECONDS else self._answer

    async def is_at_rest(self) -> bool:
        """False where a question is still open after `patience` seconds; whoever asked it has gone."""
        if self._asking is not None:
            await asyncio.wait([self._asking], timeout=self._patience)
        return self._asking is None or self._asking.done()

    async def _ask(self, ask: Callable[[], Awaitable[T | None]]) -> None:
        answer = await ask()
        self._asked_at = asyncio.get_running_loop().time()
        if answer is not None:
            self._answer, self._answered_at = answer, self._asked_at


class Lag:
    """The lag of what recorders keep, and of all groups."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._groups: Groups | None = None
        self._behind = _Asked[Behind](5.0, 0.5, waits=True)
        self._look = _Asked[Look](2.0, 5.0, waits=False)

    async def in_words(self, pool: asyncpg.Pool, now: datetime) -> str | None:
        """A sentence about what is missing, or that this is not known; None where nothing is. Raises TryLater."""
        behind = await self._behind.get(lambda: known_behind(pool, self._wiring.extents))
        return _NOT_KNOWN if behind is None else behind.in_words(now)

    async def of_groups(self) -> Look | None:
        """The workers of the deployment as they were some seconds ago; None where Kafka does not answer in time."""
        return await self._look.get(lambda: asyncio.to_thread(self._ask_groups))

    async def close(self) -> None:
        """Disconnect, unless somebody still asks: that one ends with the process."""
        if await self._look.is_at_rest() and self._groups is not None:
            await asyncio.to_thread(self._groups.close)

    def _ask_groups(self) -> Look | None:
        if self._groups is None:
            self._groups = Groups(self._wiring)
        try:
            seen = self._groups.read()
        except TryLater:
            return None
        return Look(seen.members, by_group(seen.lags))
