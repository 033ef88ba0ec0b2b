"""The decisions of distributions by the hour, as matchers counted them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

import asyncpg

from schemas.errors import TryLater
from schemas.watching import DistributionHours
from store.postgres import passing_errors
from store.sql import queries

KEPT = timedelta(days=15)
"""The time for which hours are kept: more than what is usual is judged by."""
RECENT = timedelta(hours=1)
"""How far the hours that are held against the rest begin before the present one."""


class HourKey(NamedTuple):
    """A distribution, an hour, and what was decided in it: the reason why it was skipped, or nothing."""

    project_id: str
    distribution_id: str
    hour: datetime
    reason: str


class DecisionHours:
    """Raises TryLater while Postgres is away, or does not have the tables yet."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql, self._begin_chore = queries("watching"), queries("retention")["begin_chore"]

    async def put(self, worker: str, counts: Mapping[HourKey, int]) -> None:
        """Write the counts of one run of a matcher, each whole: the same again changes nothing."""
        columns = [list(column) for column in zip(*counts, strict=True)] or [[], [], [], []]
        try:
            async with passing_errors(self._pool), self._pool.acquire() as connection, connection.transaction():
                await connection.execute(self._sql["put"], worker, *columns, list(counts.values()))
                await connection.execute(self._sql["note_written"], worker)
        except asyncpg.UndefinedTableError as error:  # no role that makes them has been started yet
            raise TryLater("Postgres: its tables are of an earlier release", what="Postgres") from error

    async def known_until(self) -> datetime | None:
        """The time up to which counts are known; None where no matcher ever wrote any."""
        async with passing_errors(self._pool):
            at: datetime | None = await self._pool.fetchval(self._sql["known_until"])
            return at

    async def watched(self, at: datetime) -> list[DistributionHours]:
        """The distributions that are live at a moment and have decided something, with what they did by then."""
        recent = at.replace(minute=0, second=0, microsecond=0) - RECENT
        async with passing_errors(self._pool):
            live = await self._pool.fetch(self._sql["watched"], at)
            counted = await self._pool.fetch(self._sql["reasons"], recent)
        reasons: dict[tuple[str, str], dict[str, tuple[int, int]]] = {}
        for row in counted:
            of_distribution = reasons.setdefault((row["project_id"], row["distribution_id"]), {})
            of_distribution[row["reason"]] = (row["recent"], row["before"])
        return [
            DistributionHours(
                row["project_id"], row["distribution_id"], row["since"], tuple(row["hours"]),
                {reason: recent for reason, (recent, _) in found.items() if recent},
                {reason: before for reason, (_, before) in found.items() if before},
            )
            for row in live
            for found in [reasons[row["project_id"], row["distribution_id"]]]
        ]  # fmt: skip

    async def begins(self, every: timedelta) -> bool:
        """True for the one process that looks now, where nobody has for so long."""
        async with passing_errors(self._pool):
            return bool(await self._pool.fetchval(self._begin_chore, "watch", every))

    async def forget(self) -> None:
        """Drop what is too old."""
        async with passing_errors(self._pool):
            await self._pool.execute(self._sql["forget"], KEPT)
