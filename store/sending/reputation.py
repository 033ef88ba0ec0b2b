"""Reputation of accounts: what each sent by the hour, and what of it came back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import NamedTuple

import asyncpg

from schemas.destination import Destination
from store.postgres import passing_errors
from store.sending.destinations import destination_of
from store.sql import queries


class SentCount(NamedTuple):
    """Messages that a provider took or refused for good, and those of them that it refused."""

    sent: int
    bounced: int


class ReputationCounts:
    """Every call is one statement. Raises TryLater while Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql = queries("reputation")

    async def add_sent(self, counts: Mapping[Destination, SentCount]) -> None:
        """Add what accounts sent just now."""
        rows = [(*destination, *count) for destination, count in counts.items()]
        await self._execute("count_sent", *map(list, zip(*rows, strict=True)))

    async def to_judge(self, window: timedelta, least: int) -> dict[Destination, asyncpg.Record]:
        """The count, bounced and complained of accounts that sent `least` within `window`, of which some came back."""
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(self._sql["to_judge"], window, least)
        return {destination_of(row): row for row in rows}

    async def is_time(self, each: timedelta) -> bool:
        """True where nobody has judged for so long: then it is ours to do."""
        async with passing_errors(self._pool):
            return bool(await self._pool.fetchval(queries("retention")["begin_chore"], "reputation", each))

    async def forget(self, window: timedelta) -> None:
        """Forget what was sent before."""
        await self._execute("forget_hours", window)

    async def _execute(self, name: str, *arguments: object) -> None:
        async with passing_errors(self._pool):
            await self._pool.execute(self._sql[name], *arguments)
