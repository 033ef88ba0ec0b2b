"""A customer's rows, section by section, as they are at one moment."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import asyncpg

from schemas.audit import AuditEntry
from schemas.suppression import key_hash
from store import audit
from store.postgres import changing, passing_errors
from store.sql import queries

_BATCH_SIZE = 200
_BY_ADDRESS = ("suppressions", "bounces")
"""Sections that are found by hashes of addresses."""


class CustomerRows:
    """The rows of one customer of a project. To be read within `snapshot`; no more than a part is in memory."""

    def __init__(self, connection: asyncpg.Connection, project_id: str, customer_id: str) -> None:
        self._connection, self._project_id, self._customer_id = connection, project_id, customer_id
        self._sql = queries("export")

    async def section(self, name: str, keys: Iterable[str] = ()) -> AsyncIterator[asyncpg.Record]:
        """The rows of a section; `keys` are those of the customer's addresses."""
        found_by = [key_hash(one) for one in sorted(keys)] if name in _BY_ADDRESS else self._customer_id
        rows = self._connection.cursor(self._sql[name], self._project_id, found_by, prefetch=_BATCH_SIZE)
        async for row in rows:
            yield row


async def note(pool: asyncpg.Pool, asked: AuditEntry) -> None:
    """Keep in the audit log that somebody reads everything of a customer. Raises TryLater."""
    async with changing(pool) as connection:
        await audit.write(connection, asked)


@asynccontextmanager
async def snapshot(pool: asyncpg.Pool, project_id: str, customer_id: str) -> AsyncIterator[CustomerRows]:
    """All of one moment, whatever changes meanwhile. Raises TryLater."""
    moment = {"isolation": "repeatable_read", "readonly": True}
    async with passing_errors(pool), pool.acquire() as connection, connection.transaction(**moment):
        yield CustomerRows(connection, project_id, customer_id)
