"""Customers who were erased: nothing that was on its way to them is sent, and nothing of it is kept."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from schemas.audit import AuditEntry
from schemas.campaign import publication_customer
from schemas.record_key import SEPARATOR, Keyed
from schemas.suppression import OWNER_WROTE, key_hash
from schemas.topics import CONSENTS, CUSTOMERS
from store import audit
from store.customer_data import NOTED, RECORDED
from store.postgres import passing_errors, transaction
from store.sql import queries


def suppressed(keys: Iterable[tuple[str, str]]) -> tuple[list[str], list[str], str]:
    """Projects and keys as `forget_suppressed` takes them."""
    ordered = sorted((project_id, key_hash(key)) for project_id, key in keys)
    return [one for one, _ in ordered], [one for _, one in ordered], OWNER_WROTE


class Erasure:
    """The erased customers. Raises TryLater while Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql = queries("erasure")

    async def ask(self, asked: AuditEntry, customer_id: str) -> datetime:
        """Have the tombstone of a customer of the entry's project written, and note who asked; the database's time."""

        async def work(connection: asyncpg.Connection) -> datetime:
            await connection.execute(self._sql["lock_imported"], asked.project_id)
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
        further: dict[str, tuple[Any, ...]] = {"erase_publications": (blank,), "forget_choices": (CONSENTS,)}
        async with passing_errors(self._pool):
            await self._pool.execute(self._sql["note"], projects, ids, [erased_at[one] for one in customers])
            for name in NOTED:
                await self._pool.execute(self._sql[name], projects, ids, *further.get(name, ()))

        async def forget_recorded(connection: asyncpg.Connection) -> None:
            await connection.execute(self._sql["lock_recorded"])
            for name in RECORDED:
                await connection.execute(self._sql[name], projects, ids)

        await transaction(self._pool, forget_recorded)

    async def forget_suppressed(self, keys: Collection[tuple[str, str]]) -> None:
        """Keep of suppressions of these keys, as projects and keys, the hashes alone."""
        if keys:
            async with passing_errors(self._pool):
                await self._pool.execute(self._sql["forget_suppressed"], *suppressed(keys))

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
