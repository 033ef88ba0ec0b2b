"""The log of endpoints: what was asked of them lately and what they answered, the newest of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, field
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from store.postgres import passing_errors, storable
from store.sql import queries

MOST_ACCEPTED, MOST_OTHERS = 20, 100
"""Calls that are kept of an endpoint."""


@dataclass(frozen=True, slots=True)
class NewCall:
    """A call to be kept. `age` is in seconds, since it began; `request` and `reply` are JSON, `reply` None without one.

    `arrived_at` is when the event of its delivery reached Kafka.
    """

    project_id: str
    endpoint: str
    accepted: bool
    delivery_id: str
    customer_id: str
    arrived_at: datetime
    attempt: int
    age: float
    duration_ms: int
    outcome: str
    detail: str = field(repr=False)
    request: str = field(repr=False)
    reply: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class LoggedCall:
    """A call as it is kept."""

    delivery_id: str
    attempt: int
    at: datetime
    duration_ms: int
    outcome: str
    detail: str
    request: dict[str, Any]
    reply: dict[str, Any] | None


class EndpointCalls:
    """Raises TryLater while Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql = queries("endpoint_calls")

    async def add(self, calls: Sequence[NewCall]) -> None:
        """Keep these, and of their endpoints the newest."""
        columns = [list(column) for column in zip(*map(astuple, calls), strict=True)]
        columns[10] = [storable(detail) for detail in columns[10]]
        touched = sorted({(one.project_id, one.endpoint) for one in calls})
        async with passing_errors(self._pool), self._pool.acquire() as connection, connection.transaction():
            await connection.execute(self._sql["add"], *columns)
            projects, endpoints = [one for one, _ in touched], [one for _, one in touched]
            await connection.execute(self._sql["trim"], projects, endpoints, MOST_ACCEPTED, MOST_OTHERS)

    async def newest(
        self, project_id: str, endpoint: str, limit: int, *, delivery: str | None = None, is_refused: bool = False
    ) -> list[LoggedCall]:
        """The newest of an endpoint; of one delivery, or without those that were accepted."""
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(self._sql["newest"], project_id, endpoint, delivery, is_refused, limit)
        return [
            LoggedCall(**{**row, "request": msgspec.json.decode(row["request"]), "reply": _reply(row["reply"])})
            for row in rows
        ]

    async def endpoints(self, project_id: str) -> list[str]:
        """The endpoints of a project that there are calls of."""
        async with passing_errors(self._pool):
            return [row["endpoint"] for row in await self._pool.fetch(self._sql["endpoints"], project_id)]


def _reply(text: str | None) -> dict[str, Any] | None:
    found: dict[str, Any] | None = None if text is None else msgspec.json.decode(text)
    return found
