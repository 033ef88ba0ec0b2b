"""Retention of the past: finished deliveries with their attempts, and texts that are sent no more."""

from __future__ import annotations

from datetime import timedelta

import asyncpg

from store.postgres import passing_errors
from store.sql import queries

_EACH = timedelta(minutes=2)
"""Between two rounds: longer than statements may take, so that none still sees what was there before the last one."""
_TEXTS_EACH = timedelta(days=1)


class Retention:
    """Drops what is older than `keep`, a batch at a time. Raises TryLater while Postgres is away."""

    def __init__(
        self, pool: asyncpg.Pool, keep: timedelta, *, batch_size: int = 20_000, each: timedelta = _EACH
    ) -> None:
        self._pool, self._keep, self._batch_size, self._each = pool, keep, batch_size, each
        self._sql = queries("retention")

    async def tidy(self) -> dict[str, int]:
        """One round, where it is time for one and no other process makes it: how many of what was dropped."""
        if not await self._begins("deliveries", self._each):
            return {}
        dropped = {"deliveries": await self._count("drop_deliveries", self._keep, self._batch_size)}
        await self._count("keep_ids", self._keep, self._batch_size)
        if await self._begins("texts", _TEXTS_EACH):
            dropped["templates"] = await self._count("drop_templates", self._keep)
            await self._count("forget_erasures", self._keep)
        return {what: count for what, count in dropped.items() if count}

    async def _begins(self, chore: str, each: timedelta) -> bool:
        return bool(await self._count("begin_chore", chore, each))

    async def _count(self, name: str, *arguments: object) -> int:
        async with passing_errors(self._pool):
            return len(await self._pool.fetch(self._sql[name], *arguments))
