"""The numbers of messages that projects may send, and have sent: what the claims of the ledger take of."""

from __future__ import annotations

from datetime import date

import asyncpg

from schemas.errors import CannotStart
from schemas.plan import LimitUse, MessageLimits, ProjectUse
from store.postgres import passing_errors
from store.sql import queries


class Limits:
    """Raises TryLater while Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql = queries("limits")

    async def put(self, project_id: str, limits: MessageLimits, zone: str) -> None:
        """Write a project's limits, or that it has none. Raises CannotStart for a zone that the database lacks."""
        async with passing_errors(self._pool), self._pool.acquire() as connection:
            await put_limits(connection, project_id, limits, zone)

    async def used(self, project_id: str) -> list[LimitUse]:
        """The limits of a project; empty where it has none."""
        async with passing_errors(self._pool):
            return [_use(row) for row in await self._pool.fetch(self._sql["used"], project_id)]

    async def used_of_all(self) -> list[ProjectUse]:
        """Every project that has limits."""
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(self._sql["used_of_all"])
        uses: dict[tuple[str, str, date], list[LimitUse]] = {}
        for row in rows:
            uses.setdefault((row["project_id"], row["zone"], row["day"]), []).append(_use(row))
        return [ProjectUse(*key, tuple(of_project)) for key, of_project in uses.items()]


async def put_limits(connection: asyncpg.Connection, project_id: str, limits: MessageLimits, zone: str) -> None:
    """Write a project's limits in the transaction at hand, or that it has none."""
    sql = queries("limits")
    if limits.is_unlimited:
        await connection.execute(sql["drop"], project_id)
        return
    try:
        await connection.execute(sql["put"], project_id, zone, limits.in_all, limits.a_day, limits.a_month)
    except asyncpg.InvalidParameterValueError as error:
        raise CannotStart(
            f"the days of project {project_id} are those of {zone}, which the database does not know: give it a "
            "timezone that is in pg_timezone_names"
        ) from error


def _use(row: asyncpg.Record) -> LimitUse:
    return LimitUse(row["span"], row["allowed"], row["used"], row["free_at"])
