"""The breakers of destinations that fail, as all senders share them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import NamedTuple

import asyncpg

from schemas.destination import Destination
from store.postgres import passing_errors, storable, transaction
from store.sending.destinations import columns_of, destination_of
from store.sql import queries


class KeptBreaker(NamedTuple):
    """The state of a breaker as JSON, `{}` of one that was just entered, and the last failure in words."""

    state: str
    why: str


@dataclass(frozen=True, slots=True)
class KnownBreakers:
    """All breakers at a moment of the database's clock, in seconds."""

    now: float = 0.0
    kept: dict[Destination, KeptBreaker] = field(default_factory=dict)


Judge = Callable[[Destination, KeptBreaker, float], KeptBreaker | None]
"""A breaker after a report, by the database's clock; None where nothing is left to remember."""


class BreakerStore:
    """Raises TryLater while Postgres is away. The database's clock counts."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql = queries("breakers")

    async def report(
        self, destinations: Collection[Destination], failing: Collection[Destination], judge: Judge
    ) -> None:
        """Have each judged that is known or `failing`, in one transaction that waits for others about the same."""

        async def work(connection: asyncpg.Connection) -> None:
            if failing:
                await connection.execute(self._sql["enter_breakers"], *columns_of(failing))
            await self._judge(connection, destinations, judge)

        await transaction(self._pool, work)

    async def _judge(self, connection: asyncpg.Connection, destinations: Collection[Destination], judge: Judge) -> None:
        over, kept = [], []
        for row in await connection.fetch(self._sql["lock_breakers"], *columns_of(destinations)):
            destination = destination_of(row)
            judged = judge(destination, KeptBreaker(row["state"], row["why"]), row["now"])
            if judged is None:
                over.append(destination)
            else:
                kept.append((*destination, judged.state, storable(judged.why)))
        if kept:
            await connection.execute(self._sql["write_breakers"], *map(list, zip(*kept, strict=True)))
        if over:
            await connection.execute(self._sql["drop_breakers"], *columns_of(over))

    async def all(self) -> KnownBreakers:
        """Every one that there is, but for those of paused destinations, which are dropped."""
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(self._sql["all_breakers"])
        now = max((row["now"] for row in rows), default=0.0)
        return KnownBreakers(now, {destination_of(row): KeptBreaker(row["state"], row["why"]) for row in rows})
