"""Status events: what providers told of deliveries after they took them."""

from __future__ import annotations

from collections.abc import Collection

import asyncpg
import msgspec

from schemas.decision import DeliveryStatus
from schemas.topics import DELIVERY_STATUS
from store.postgres import passing_errors
from store.sql import queries


class StatusEvents:
    """Each is kept once, in one transaction with the record for Kafka. Raises TryLater while Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql = queries("status_events")
        self._add_to_outbox = queries("control")["add_to_outbox"]

    async def deliveries(self, project_id: str, delivery_ids: Collection[str]) -> list[asyncpg.Record]:
        """delivery_id, record, provider_id, attempts, erased; of those that the project has, under way or over."""
        async with passing_errors(self._pool):
            rows: list[asyncpg.Record] = await self._pool.fetch(
                self._sql["reported_deliveries"], project_id, list(delivery_ids)
            )
            return rows

    async def record(self, status: DeliveryStatus) -> bool:
        """Keep an end and put it into the outbox; False where the delivery is known to have had it."""
        event = (status.project_id, status.delivery_id, status.outcome)
        text = msgspec.json.encode(status).decode()
        async with passing_errors(self._pool), self._pool.acquire() as connection, connection.transaction():
            at = await connection.fetchval(self._sql["record_event"], *event)
            if at is not None:
                await connection.execute(self._add_to_outbox, DELIVERY_STATUS, status.customer_id, text, at)
        return at is not None
