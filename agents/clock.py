"""The time, handed to whoever judges by it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from schemas.errors import TryLater

Clock = Callable[[], datetime]

_EVERY = 10.0


def utc_now() -> datetime:
    """The wall clock, with its offset."""
    return datetime.now(UTC)


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
        self._moment, self._at = wall(), ticks()

    def __call__(self) -> datetime:
        """The time of now."""
        return self._moment + timedelta(seconds=self._ticks() - self._at)

    async def look(self) -> None:
        """Ask the database; its answer is of the middle of the time that it took. Raises TryLater."""
        asked = self._ticks()
        self._moment, self._at = await self._ask(), (asked + self._ticks()) / 2

    async def run(self) -> None:
        """Look now and then, until cancelled; while the database is away the steady clock goes on."""
        while True:
            with suppress(TryLater):
                await self.look()
            await asyncio.sleep(_EVERY)
