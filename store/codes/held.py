"""Requests that wait for codes, and what stands against giving them any."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import structlog

from schemas.closed import DistributionStatus, SendStatus
from schemas.publication_request import PublicationRequest
from store.postgres import passing_errors
from store.sql import queries

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class CodeRequest:
    """A request, the partition it came from, and when its event reached Kafka."""

    request: PublicationRequest
    partition: int
    arrived_at: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """A request's customer and distribution as they are by now.

    `is_erased`: the customer's tombstone came after the event. `status` is None where the distribution is not there any
    more; `send` is of the manual send that asked, if one did; `went_without` the event for which it went out without a
    code, if it did.
    """

    is_erased: bool
    status: DistributionStatus | None
    ends_at: datetime | None
    send: SendStatus | None
    went_without: str | None = None


class Held:
    """Raises TryLater while Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql = queries("held")

    async def hold(self, asked: Sequence[CodeRequest]) -> None:
        """Keep requests until there are codes for them."""
        async with passing_errors(self._pool):
            await self._pool.execute(
                self._sql["hold"],
                [one.request.publication_id for one in asked],
                [one.request.project_id for one in asked],
                [one.request.campaign for one in asked],
                [one.partition for one in asked],
                [msgspec.json.encode(one.request) for one in asked],
                [one.arrived_at for one in asked],
                [one.request.event.send_id for one in asked],
            )

    async def standings(self, asked: Sequence[CodeRequest]) -> list[Standing]:
        """Of each request, in order, what may stand against it."""
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(
                self._sql["standings"],
                [one.request.project_id for one in asked],
                [one.request.customer_id for one in asked],
                [one.arrived_at for one in asked],
                [one.request.distribution.id for one in asked],
                [one.request.event.send_id for one in asked],
                [one.request.publication_id for one in asked],
            )
        return [Standing(**row) for row in rows]

    async def note_without(self, requests: Sequence[PublicationRequest]) -> dict[str, str]:
        """Keep that they go out without a code; by publication id, the first event that asked."""
        ids = [one.publication_id for one in requests]
        async with passing_errors(self._pool):
            of = [one.project_id for one in requests], [one.event.id for one in requests]
            await self._pool.execute(self._sql["note_without"], ids, *of)
            rows = await self._pool.fetch(self._sql["went_without"], ids)
        return {row["publication_id"]: row["event_id"] for row in rows}

    @asynccontextmanager
    async def take(self, untried_for: timedelta, most: int) -> AsyncIterator[HeldBatch]:
        """Some requests that were not tried for so long, locked until the end of the block; all or nothing is noted."""
        async with passing_errors(self._pool), self._pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(self._sql["take"], untried_for, most)
            read = {row["publication_id"]: _read(row) for row in rows}
            if unreadable := [identity for identity, one in read.items() if one is None]:
                await connection.execute(self._sql["still_held"], unreadable)
            yield HeldBatch(connection, self._sql, [one for one in read.values() if one is not None])

    async def count(self) -> int:
        """The number of those that wait, of all projects."""
        async with passing_errors(self._pool):
            return int(await self._pool.fetchval(self._sql["count_held"]))


def _read(row: Mapping[str, Any]) -> CodeRequest | None:
    """None for what another release may have written: it waits for a publisher that can read it."""
    try:
        request = msgspec.json.decode(row["request"], type=PublicationRequest)
        return CodeRequest(request, row["partition"], row["arrived_at"])
    except msgspec.DecodeError as error:
        log.error("held_request_unreadable", publication=row["publication_id"], error=str(error))
        return None


class HeldBatch:
    """Requests that were taken up, in one transaction."""

    def __init__(self, connection: asyncpg.Connection, sql: dict[str, str], requests: list[CodeRequest]) -> None:
        self._connection, self._sql, self.requests = connection, sql, requests

    async def note(self, *, settled: Sequence[str], still_held: Sequence[str]) -> None:
        """Let the settled ones go, by publication id, and the others wait on."""
        await self._connection.execute(self._sql["release"], list(settled))
        await self._connection.execute(self._sql["still_held"], list(still_held))
