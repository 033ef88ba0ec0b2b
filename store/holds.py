"""Holds: sends that wait for a moment. Whoever releases them asks here which are due, by the database's clock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import asyncpg

from schemas.record_key import Keyed
from store.postgres import passing_errors
from store.sql import queries

COUNTED = 100_000
"""So many that wait are counted one by one: to count millions every few seconds would cost more than the rest."""


class HoldRow(NamedTuple):
    """A hold that is new. `record` is what will go onto `events.due`; `until_at` None where it waits for somebody."""

    project_id: str
    hold_id: str
    round: int
    distribution_id: str
    customer_id: str
    reason: str
    until_at: datetime | None
    arrived_at: datetime
    record: bytes


class DueHold(NamedTuple):
    """A hold whose moment has come, or which somebody has ended before."""

    project_id: str
    hold_id: str
    round: int
    customer_id: str
    record: bytes
    canceled_by: str | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """The number of all that wait, and how late the first that is due is, in seconds; None where nothing is."""

    waiting: int
    late: float | None


class Holds:
    """Raises TryLater while Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql = {**queries("holds"), "note": queries("erasure")["note"]}

    async def add(self, rows: Sequence[HoldRow]) -> int:
        """Keep what is new; how many. What is known, or of a customer erased since, changes nothing."""
        return len(await self._fetch("add", *map(list, zip(*rows, strict=True)))) if rows else 0

    async def erase(self, erased_at: Sequence[tuple[Keyed, datetime]]) -> None:
        """End what waits for customers who were erased, and keep nothing of it; the latest moment of each counts."""
        latest = {customer: at for at, customer in sorted((at, customer) for customer, at in erased_at)}
        customers = sorted(latest)
        projects, ids = [one.project_id for one in customers], [one.id for one in customers]
        await self._fetch("note", projects, ids, [latest[one] for one in customers])
        await self._fetch("erase", projects, ids)

    @asynccontextmanager
    async def due(self, most: int) -> AsyncIterator[list[DueHold]]:
        """Some that are due, locked until the end of the block. They have ended then, unless it raises."""
        async with passing_errors(self._pool), self._pool.acquire() as connection, connection.transaction():
            found = [DueHold(**row) for row in await connection.fetch(self._sql["take"], most)]
            yield found
            if found:
                ended = [[getattr(one, name) for one in found] for name in ("project_id", "hold_id", "round")]
                await connection.execute(self._sql["end"], *ended)

    async def wake(self, most: int) -> int:
        """Make due what waited for paused distributions that go on; how many, at most so many of each."""
        woken = 0
        for row in await self._fetch("resumed"):
            woken += len(await self._fetch("wake", row["project_id"], row["distribution_id"], most))
        return woken

    async def waiting(self) -> Waiting:
        """The number of those that wait: counted up to `COUNTED`, beyond it as Postgres last estimated it."""
        (row,) = await self._fetch("waiting", COUNTED)
        return Waiting(**row)

    async def forget(self, after: timedelta, most: int) -> int:
        """Drop what was over so long ago; how many, at most so many."""
        return len(await self._fetch("forget", after, most))

    async def _fetch(self, name: str, *arguments: object) -> list[asyncpg.Record]:
        async with passing_errors(self._pool):
            rows: list[asyncpg.Record] = await self._pool.fetch(self._sql[name], *arguments)
            return rows
