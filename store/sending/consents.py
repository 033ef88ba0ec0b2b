"""The consents of customers, as far as deliveries that are on their way may be concerned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg
import msgspec

from schemas.record_key import Keyed
from store.postgres import passing_errors
from store.sql import queries


@dataclass(frozen=True, slots=True)
class Given:
    """The categories that a customer consents to, in order, and when Kafka was told; None where that is not known."""

    categories: tuple[str, ...]
    at: datetime | None


class Consents:
    """Raises TryLater while Postgres is away. What was said longer ago than `keep` concerns no delivery any more."""

    def __init__(self, pool: asyncpg.Pool, keep: timedelta) -> None:
        self._pool, self._keep = pool, keep
        self._sql = queries("consents")

    async def note(self, given: Mapping[Keyed, Given]) -> None:
        """Remember what customers consent to, and which of the choices that they made with us it says as well."""
        rows = [
            (one.project_id, one.id, msgspec.json.encode(said.categories).decode(), said.at)
            for one, said in given.items()
        ]
        if rows:
            async with passing_errors(self._pool):
                columns = list(map(list, zip(*rows, strict=True)))
                await self._pool.execute(self._sql["note"], *columns, self._keep)
                await self._pool.execute(self._sql["take_over"], *columns)
