"""Requests that wait for codes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import asyncpg
import msgspec

from schemas.publication_request import PublicationRequest
from store.postgres import passing_errors
from store.sql import queries


@dataclass(frozen=True, slots=True)
class HeldRequest:
    """A request, and the partition it came from."""

    request: PublicationRequest
    partition: int


class Held:
    """Raises TryLater while Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql = queries("held")

    async def hold(self, requests: Sequence[PublicationRequest], partition: int) -> None:
        """Keep requests until there are codes for them."""
        async with passing_errors(self._pool):
            await self._pool.execute(
                self._sql["hold"],
                [one.publication_id for one in requests],
                [one.project_id for one in requests],
                [one.campaign for one in requests],
                partition,
                [msgspec.json.encode(one) for one in requests],
            )

    @asynccontextmanager
    async def take(self, untried_for: timedelta, most: int) -> AsyncIterator[Hand]:
        """Some requests that were not tried for so long, locked until the end of the block; all or nothing is noted."""
        async with passing_errors(self._pool), self._pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(self._sql["take"], untried_for, most)
            found = [
                HeldRequest(msgspec.json.decode(row["request"], type=PublicationRequest), row["partition"])
                for row in rows
            ]
            yield Hand(connection, self._sql, found)

    async def counts(self, project_id: str) -> dict[str, int]:
        """How many wait, by campaign."""
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(self._sql["count_held"], project_id)
        return {row["campaign_id"]: row["count"] for row in rows}


class Hand:
    """Requests that were taken up."""

    def __init__(self, connection: asyncpg.Connection, sql: dict[str, str], requests: list[HeldRequest]) -> None:
        self._connection, self._sql, self.requests = connection, sql, requests

    async def note(self, *, settled: Sequence[str], still_held: Sequence[str]) -> None:
        """Let the settled ones go, by publication id, and the others wait on."""
        await self._connection.execute(self._sql["release"], list(settled))
        await self._connection.execute(self._sql["still_held"], list(still_held))
