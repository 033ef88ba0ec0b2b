"""Status events: what providers told of deliveries after they took them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

import asyncpg
import msgspec

from schemas.closed import ChannelName
from schemas.decision import DeliveryStatus
from schemas.topics import DELIVERY_STATUS
from store.postgres import passing_errors
from store.sql import queries


class ReportedStatus(NamedTuple):
    """An end that a report tells of. `counts`: towards its account's shares. `report_id` is empty where not known."""

    status: DeliveryStatus
    counts: bool = False
    report_id: str = ""


class StatusEvents:
    """Each is kept once, in one transaction with the record for Kafka. Raises TryLater while Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql = queries("status_events")
        self._add_to_outbox = queries("control")["add_to_outbox"]
        self._count_reported = queries("reputation")["count_reported"]

    async def deliveries(self, project_id: str, delivery_ids: Collection[str]) -> list[asyncpg.Record]:
        """delivery_id, record, provider_id, attempts, erased, settled_at, through; of those that the project has."""
        async with passing_errors(self._pool):
            rows: list[asyncpg.Record] = await self._pool.fetch(
                self._sql["reported_deliveries"], project_id, list(delivery_ids)
            )
            return rows

    async def by_provider_id(
        self, project_id: str, channel: ChannelName, provider_ids: Collection[str]
    ) -> list[asyncpg.Record]:
        """The same of those of a channel that their provider knows by ids of its own."""
        async with passing_errors(self._pool):
            rows: list[asyncpg.Record] = await self._pool.fetch(
                self._sql["deliveries_of_provider"], project_id, channel, list(provider_ids)
            )
            return rows

    async def of(self, project_id: str, delivery_ids: Collection[str]) -> list[asyncpg.Record]:
        """delivery_id, outcome, at; in order."""
        async with passing_errors(self._pool):
            rows: list[asyncpg.Record] = await self._pool.fetch(self._sql["events_of"], project_id, list(delivery_ids))
            return rows

    async def record(self, ends: Sequence[ReportedStatus]) -> list[bool]:
        """Keep ends, put them into the outbox and count them, all or nothing; False for one that is known already.

        Kept in one order, so that two who keep the same do not wait for each other; told in the order given.
        """
        at: list[datetime | None] = [None] * len(ends)
        async with passing_errors(self._pool), self._pool.acquire() as connection, connection.transaction():
            for place, end in sorted(enumerate(ends), key=lambda one: _event(one[1].status)):
                key = *_event(end.status), end.report_id or None
                at[place] = await connection.fetchval(self._sql["record_event"], *key)
            new = [(one, moment) for one, moment in zip(ends, at, strict=True) if moment is not None]
            await connection.executemany(
                self._add_to_outbox,
                [
                    (DELIVERY_STATUS, one.status.customer_id, msgspec.json.encode(one.status).decode(), moment)
                    for one, moment in new
                ],
            )
            if counted := [_event(one.status) for one, _ in new if one.counts]:
                await connection.execute(self._count_reported, *map(list, zip(*counted, strict=True)))
        return [moment is not None for moment in at]


def _event(status: DeliveryStatus) -> tuple[str, str, str]:
    return status.project_id, status.delivery_id, status.outcome
