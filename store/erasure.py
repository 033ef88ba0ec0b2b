"""Customers who were erased: nothing that was on its way to them is sent, and nothing of it is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import asyncpg
import msgspec

from schemas.audit import AuditEntry
from schemas.campaign import publication_customer
from schemas.record_key import SEPARATOR, Keyed
from schemas.topics import CONSENTS, CUSTOMERS
from store import audit
from store.postgres import passing_errors, transaction
from store.sql import queries


class Erasure:
    """The erased customers. Raises TryLater while Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql = queries("erasure")

    async def ask(self, asked: AuditEntry, customer_id: str) -> datetime:
        """Have the tombstone of a customer of the entry's project written, and note who asked; the database's time."""

        async def work(connection: asyncpg.Connection) -> datetime:
            key = asked.project_id + SEPARATOR + customer_id
            at: datetime = await connection.fetchval(self._sql["ask"], CUSTOMERS, key)
            await audit.write(connection, asked)
            return at

        return await transaction(self._pool, work)

    async def note(self, erased_at: Mapping[Keyed, datetime | None]) -> None:
        """Remember customers, with the moment of the tombstone in Kafka; and blank what their codes say of them.

        None, where that is not known, is now; and so is what lies ahead.
        """
        customers = sorted(erased_at)
        projects, ids = [one.project_id for one in customers], [one.id for one in customers]
        blank = [msgspec.json.encode(publication_customer({"id": one})).decode() for one in ids]
        async with passing_errors(self._pool):
            await self._pool.execute(self._sql["note"], projects, ids, [erased_at[one] for one in customers])
            await self._pool.execute(self._sql["forget_consents"], projects, ids)
            await self._pool.execute(self._sql["forget_calls"], projects, ids)
            await self._pool.execute(self._sql["forget_memberships"], projects, ids)
            await self._pool.execute(self._sql["erase_publications"], projects, ids, blank)
            await self._pool.execute(self._sql["forget_choices"], projects, ids, CONSENTS)

        async def forget_recorded(connection: asyncpg.Connection) -> None:
            await connection.execute(self._sql["lock_recorded"])
            await connection.execute(self._sql["forget_decisions"], projects, ids)
            await connection.execute(self._sql["forget_statuses"], projects, ids)
            await connection.execute(self._sql["forget_rebuilt_decisions"], projects, ids)
            await connection.execute(self._sql["forget_rebuilt_statuses"], projects, ids)

        await transaction(self._pool, forget_recorded)

    async def find(self, customers: Sequence[Keyed], limit: int) -> dict[str, bytes]:
        """Records by delivery id, of those customers among some that are erased, as far as they still say anything."""
        projects, ids = [one.project_id for one in customers], [one.id for one in customers]
        async with passing_errors(self._pool):
            erased = await self._pool.fetch(self._sql["erased_among"], projects, ids)
            if not erased:  # nearly always, and deliveries are many days to look through
                return {}
            asked = [[row[name] for row in erased] for name in ("project_id", "customer_id")]
            rows = await self._pool.fetch(self._sql["find"], *asked, limit)
        return {row["delivery_id"]: row["record"] for row in rows}

    async def erase(self, records: Mapping[str, bytes], *, owner: str) -> None:
        """Keep these records instead, and end the deliveries that wait without a lease, or with one of `owner`."""
        async with passing_errors(self._pool):
            await self._pool.execute(self._sql["erase"], list(records), list(records.values()), owner)
