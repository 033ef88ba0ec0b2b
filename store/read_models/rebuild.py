"""Read models made anew beside those that are read, whose days they replace one by one."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from datetime import date, datetime, timedelta
from typing import NamedTuple, cast

import asyncpg

from schemas.errors import TidingsError
from store.postgres import passing_errors, transaction
from store.read_models.copied import CopiedRow
from store.read_models.recorded import Recorded, Source
from store.sql import queries

_TABLES = re.compile(r"\brecorded_(decisions|statuses|purchases|positions)(?=_by_minute\b|\b)")
_OF_THE_OLD = (
    "exceptions_of_decisions", "exceptions_of_statuses", "exceptions_of_purchases",
    "decisions_beyond", "statuses_beyond", "purchases_beyond",
)  # fmt: skip
"""Ids that stand under no day of their own go on doing so."""
_PARENTS = (
    "recorded_decisions", "recorded_statuses", "recorded_decisions_by_minute", "recorded_statuses_by_minute",
    "recorded_purchases",
)  # fmt: skip


class Rows(NamedTuple):
    """The numbers of rows of a new day."""

    decisions: int
    statuses: int
    purchases: int


class Unfinished(NamedTuple):
    """A making of read models that was begun, by whom and when."""

    begun_by: str
    begun_at: datetime


class Rebuilt(Recorded):
    """Keeps rows as recorders do, in the new tables. Raises TidingsError where another `run` has begun since."""

    prefix = "rebuilt"

    def __init__(self, pool: asyncpg.Pool, keep: timedelta, run: str) -> None:
        super().__init__(pool, keep)
        self._run, self._still_ours = run, queries("rebuild")["still_ours"]
        self._sql = {
            name: sql if name in _OF_THE_OLD else _TABLES.sub(r"rebuilt_\1", sql) for name, sql in self._sql.items()
        }

    async def _position(self, connection: asyncpg.Connection, source: Source) -> asyncpg.Record:
        await check_ours(connection, self._still_ours, self._run)
        return await super()._position(connection, source)

    async def _attribute(self, connection: asyncpg.Connection, table: str, rows: Iterable[CopiedRow]) -> None:
        """Nothing: a new day's redemptions look for their deliveries once the day is in its place."""


async def check_ours(connection: asyncpg.Connection, sql: str, run: str) -> None:
    """Raise TidingsError where another run has begun."""
    if not await connection.fetchval(sql, run):
        raise TidingsError("somebody else has begun to rebuild the read models: this one ends, the other goes on")


class Rebuild:
    """One making of read models. Raises TryLater while Postgres is away."""

    def __init__(self, pool: asyncpg.Pool, run: str) -> None:
        self._pool, self._run, self._sql = pool, run, queries("rebuild")
        self._recorded = queries("recorded")

    async def begin(self, begun_by: str) -> None:
        """Begin from nothing, whoever has begun before."""

        async def work(connection: asyncpg.Connection) -> None:
            await connection.execute(self._sql["lock"])
            await connection.execute(self._sql["begin"], self._run, begun_by)
            await connection.execute(self._sql["clear"])

        await transaction(self._pool, work)

    async def end(self) -> None:
        """Forget what took no day's place, and have redemptions of all days look for their deliveries."""

        async def work(connection: asyncpg.Connection) -> None:
            await connection.execute(self._sql["lock"])
            await check_ours(connection, self._sql["still_ours"], self._run)
            await connection.execute(self._recorded["lock_codes"])
            await connection.execute(self._recorded["attribute_day"], None)
            await connection.execute(self._sql["clear"])
            await connection.execute(self._sql["end"], self._run)

        await transaction(self._pool, work)

    async def latest_read(self, topic: str, partition: int) -> int | None:
        """The time of the latest record that recorders have read of a partition, in Unix ms."""
        return cast("int | None", await self._fetchval("latest_read", topic, partition))

    async def days(self) -> list[date]:
        """Every day that there is, old or new."""
        async with passing_errors(self._pool):
            return [row["day"] for row in await self._pool.fetch(self._sql["days"])]

    async def has_more(
        self, day: date, decided: datetime, ended: datetime, ordered: datetime, redeemed: datetime
    ) -> bool:
        """True where the old day has decisions, ends or purchases from before those moments that the new one lacks."""
        return bool(await self._fetchval("has_more", day, decided, ended, ordered, redeemed))

    async def replace(self, day: date, catch_up: Callable[[], Awaitable[None]]) -> Rows:
        """Put a new day in the place of the old one, in one transaction; how many rows it has.

        Recorders wait meanwhile; `catch_up` reads up to where they are. Raises TryLater where somebody reads for long.
        """
        async with passing_errors(self._pool), self._pool.acquire() as connection:
            for parent in _PARENTS:
                await connection.execute(self._sql["bound_day"], parent, day)
            async with connection.transaction():
                await connection.execute(self._sql["stop_recorders"])
                await catch_up()
                await connection.execute(self._sql["wait_for_erasures"])
                await check_ours(connection, self._sql["still_ours"], self._run)
                counts = Rows(*await connection.fetchrow(self._sql["count_day"], day))
                for parent in _PARENTS:
                    await connection.execute(self._sql["replace_day"], parent, day)
                await connection.execute(self._recorded["attribute_day"], day)
        return counts

    async def _fetchval(self, name: str, *values: object) -> object:
        async with passing_errors(self._pool):
            return await self._pool.fetchval(self._sql[name], *values)


async def unfinished_rebuild(pool: asyncpg.Pool) -> Unfinished | None:
    """A making of read models that has not come to its end: it goes on, or was killed."""
    async with passing_errors(pool):
        row = await pool.fetchrow(queries("rebuild")["unfinished"])
    return Unfinished(*row) if row else None
