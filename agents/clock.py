"""The time, handed to whoever judges by it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime

from schemas.errors import TryLater

Clock = Callable[[], datetime]

_EVERY = 10.0


def utc_now() -> datetime:
    """The wall clock, with its offset."""
    return datetime.now(UTC)


class SteadyTime:
    """The database's clock, in seconds, carried on by the steady clock of this process.

    The two differ by what lies between the readings before and after it was asked: each answer narrows that, and
    follows a clock that was set. Until it has answered once, `guess` counts.
    """

    def __init__(self, guess: float = 0.0, *, ticks: Callable[[], float] = time.monotonic) -> None:
        self._ticks, self._is_known = ticks, False
        self._ahead = ticks() - guess

    def read(self, asked_at: float, moment: float) -> None:
        """Take in what the database said; it was asked at a moment of the steady clock."""
        least, most = asked_at - moment, self._ticks() - moment
        self._ahead = min(max(self._ahead, least), most) if self._is_known else most
        self._is_known = True

    def now(self) -> float:
        """The database's time of now, or a little before."""
        return self._ticks() - self._ahead

    def ours(self, moment: float) -> float:
        """A moment of the database's clock as one of the steady clock."""
        return moment + self._ahead


class DatabaseTime:
    """The database's time, carried on by the steady clock of this process: what signs messages and dates mails.

    So a machine whose clock jumps or is wrong is not refused by every receiver that compares timestamps. `ask` raises
    TryLater; until it has answered once, the wall clock counts.
    """

    def __init__(
        self,
        ask: Callable[[], Awaitable[datetime]],
        *,
        wall: Clock = utc_now,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask, self._ticks = ask, ticks
        self._time = SteadyTime(wall().timestamp(), ticks=ticks)

    def __call__(self) -> datetime:
        """The time of now."""
        return datetime.fromtimestamp(self._time.now(), UTC)

    async def look(self) -> None:
        """Ask the database. Raises TryLater."""
        asked_at = self._ticks()
        self._time.read(asked_at, (await self._ask()).timestamp())

    async def run(self) -> None:
        """Look now and then, until cancelled; while the database is away the steady clock goes on."""
        while True:
            with suppress(TryLater):
                await self.look()
            await asyncio.sleep(_EVERY)
