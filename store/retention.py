"""Retention of the past: deliveries that are over, their ids, suppressions and imports that ended, unused texts."""

from __future__ import annotations

from datetime import timedelta

import asyncpg

from schemas.topics import REPLAYABLE
from store.postgres import passing_errors
from store.sql import queries

_EACH = timedelta(minutes=2)
"""Between two rounds: longer than statements may take, so that none still sees what was there before the last one."""
_DAILY = timedelta(days=1)
CALLS_KEPT = timedelta(days=7)
"""The age up to which the log of endpoints says anything."""
IMPORTS_KEPT = timedelta(days=90)
DELETED_KEPT = timedelta(days=30)
"""For so long a distribution that was deleted can be brought back."""


def ids_kept(keep: timedelta) -> timedelta:
    """The age up to which an event is still sent, and how long its ids are known: as long as any topic has it."""
    return max(keep, REPLAYABLE)


class Retention:
    """Drops deliveries older than `keep` by the day, and ids in batches. Raises TryLater while Postgres is away.

    `imports` is how long those that are over are listed.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        keep: timedelta,
        *,
        imports: timedelta = IMPORTS_KEPT,
        batch_size: int = 50_000,
        each: timedelta = _EACH,
    ) -> None:
        self._pool, self._keep, self._imports = pool, keep, imports
        self._batch_size, self._each = batch_size, each
        self._sql = queries("retention")

    async def tidy(self) -> dict[str, int]:
        """One round, where it is time for one and no other process makes it: how many of what was dropped."""
        if not await self._begins("deliveries", self._each):
            return {}
        await self._rows("make_days")
        dropped = {"days": await self._drop_days(), "ids": len(await self._rows("forget_ids", self._batch_size))}
        await self._rows("forget_consents", ids_kept(self._keep), self._batch_size)
        dropped["calls"] = len(await self._rows("forget_calls", min(self._keep, CALLS_KEPT), self._batch_size))
        dropped["suppressions"] = len(await self._rows("drop_suppressions", self._batch_size))
        dropped["imports"] = len(await self._rows("forget_imports", self._imports, self._batch_size))
        if await self._begins("texts", _DAILY):
            dropped["templates"] = len(await self._rows("drop_templates", self._keep))
            dropped["files"] = len(await self._rows("drop_files", self._keep))
            await self._rows("forget_erasures", ids_kept(self._keep))
            await self._rows("forget_bounces", self._keep)
            await self._rows("forget_deleted", DELETED_KEPT)
            await self._rows("forget_status_events", self._keep)
            await self._rows("keep_ids_of_open", ids_kept(self._keep))
            await self._rows("raise_oldest_event", ids_kept(self._keep))
        return {what: count for what, count in dropped.items() if count}

    async def _drop_days(self) -> int:
        days = [row["day"] for row in await self._rows("old_days", self._keep)]
        for count, day in enumerate(days):
            (row,) = await self._rows("drop_day", day)
            if not row["is_dropped"]:  # somebody reads: a dump, say
                return count
        return len(days)

    async def _begins(self, chore: str, each: timedelta) -> bool:
        return bool(await self._rows("begin_chore", chore, each))

    async def _rows(self, name: str, *arguments: object) -> list[asyncpg.Record]:
        async with passing_errors(self._pool):
            rows: list[asyncpg.Record] = await self._pool.fetch(self._sql[name], *arguments)
            return rows
