"""Memberships on their way to Kafka: whose have changed, and what they are when they are told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import asyncpg

from store.postgres import passing_errors
from store.sql import queries

BATCH_SIZE = 2000
"""Customers, about, who are told of in one transaction."""


class Standing(NamedTuple):
    """The segments that a customer is in, sorted; `is_there` is False where nothing is known of the customer."""

    project_id: str
    customer_id: str
    is_there: bool
    segments: list[str]


@dataclass(frozen=True, slots=True)
class Telling:
    """One page of what is told, and whether with it all is told that was known at the start.

    `revision` is above that of all pages before; `now` is the database's time.
    """

    standings: Sequence[Standing]
    completes: bool
    revision: int
    now: datetime


class Untold(NamedTuple):
    """The number of changes that Kafka was not told of yet; partitions that were told that all is told."""

    changes: int
    complete_on: int


class MembershipChanges:
    """Raises TryLater while Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql = queries("memberships")

    async def publish(self, partitions: int, publish: Callable[[Telling], Awaitable[None]]) -> int:
        """Pass the next page to `publish` and forget it after that returned; of how many customers it told.

        Where `publish` raises, or the process dies, the page is made again of what is there by then.
        """
        async with passing_errors(self._pool), self._pool.acquire() as connection:
            if not await connection.fetchval(self._sql["is_anything_to_tell"], partitions):
                return 0
            async with connection.transaction():
                revision, complete_on, now = await connection.fetchrow(self._sql["lock_telling"])
                found = await connection.fetch(self._sql["take_changes"], BATCH_SIZE)
                completes = complete_on != partitions and await connection.fetchval(self._sql["is_complete"])
                await publish(Telling([Standing(*row) for row in found], completes, revision, now))
                if completes:
                    await connection.execute(self._sql["complete"], partitions)
        return len(found)

    async def of(self, project_id: str, customers: Collection[str]) -> dict[str, list[str]]:
        """The segments that each of some customers is in, of those who are in any."""
        projects = [project_id] * len(customers)
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(self._sql["memberships_of"], projects, list(customers))
        return {row["customer_id"]: row["segments"] for row in rows if row["segments"]}

    async def tell_again(self) -> int:
        """Have all memberships told again; of how many customers."""
        async with passing_errors(self._pool):
            return int(await self._pool.fetchval(self._sql["tell_again"]))

    async def untold(self) -> Untold:
        """Whatever Kafka was not told of yet."""
        async with passing_errors(self._pool):
            return Untold(*await self._pool.fetchrow(self._sql["waiting"]))
