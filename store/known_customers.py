"""The profiles of customers that segmenters keep in Postgres: found, listed, read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg
import msgspec

from schemas.formats.search_keys import folded, phone_key
from store.postgres import passing_errors, storable
from store.sql import queries

Known = tuple[str, dict[str, Any]]
"""An id and its profile."""


class KnownCustomers:
    """Raises TryLater while Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool, self._sql = pool, queries("customers")

    async def found(self, project_id: str, sought: str, limit: int) -> list[Known]:
        """Customers of whom something begins with a text, the ends of phone numbers included; exact ones first."""
        written = storable(sought.strip())
        keys = written, folded(written) or written, phone_key(written)
        return await self._known("found", project_id, *keys, limit)

    async def page(self, project_id: str, after: str, limit: int) -> list[Known]:
        """Customers in the order of their ids."""
        return await self._known("page", project_id, after, limit)

    async def profile(self, project_id: str, customer_id: str) -> dict[str, Any] | None:
        """The profile of a customer; None where none is kept."""
        return next((profile for _, profile in await self._known("profile", project_id, customer_id)), None)

    async def _known(self, name: str, *arguments: Any) -> list[Known]:
        async with passing_errors(self._pool):
            rows: Sequence[asyncpg.Record] = await self._pool.fetch(self._sql[name], *arguments)
        return [(row["customer_id"], msgspec.json.decode(row["profile"])) for row in rows]
