"""Looking for silence and surprises: one process at a time judges what matchers counted, and opens or ends notices."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from agents.waiting import retry_until_available
from schemas.watching import WatchBounds
from store.notices import Notices
from store.watching import DecisionHours
from streams.notices import distribution_silent, skips_jumped
from streams.watching import jumps, silence

_LOOK_SECONDS = 2.0


class Watch:
    """Any number of processes may have one. `every`: the time between two looks of whichever of them."""

    def __init__(self, hours: DecisionHours, notices: Notices, bounds: WatchBounds, *, every: timedelta) -> None:
        self._hours, self._notices, self._bounds, self._every = hours, notices, bounds, every

    async def run(self) -> None:
        """Look now and then, until cancelled."""
        while True:
            await retry_until_available(self._look_in_turn, what="Postgres")
            await asyncio.sleep(min(self._every.total_seconds(), _LOOK_SECONDS))

    async def _look_in_turn(self) -> None:
        if await self._hours.begins(self._every):
            await self.look()
            await self._hours.forget()

    async def look(self) -> None:
        """Judge each distribution. Raises TryLater."""
        at = await self._hours.known_until()
        found = await self._hours.watched(at) if at else []
        silent = [distribution_silent(one, what) for one in found if at and (what := silence(one, at, self._bounds))]
        jumped = [skips_jumped(one, jump) for one in found if at for jump in jumps(one, at, self._bounds)]
        await self._notices.keep_all("distribution_silent", silent)
        await self._notices.keep_all("skips_jumped", jumped)
