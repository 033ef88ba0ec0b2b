"""Exchanges: what senders share of destinations, read and written by one of them after the other."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

import asyncpg

from schemas.destination import Destination
from store.postgres import passing_errors, transaction
from store.sending.destinations import columns_of, destination_of
from store.sql import queries


class Kept(NamedTuple):
    """The state of a destination to be kept, as JSON; closed until then by the database's clock, in seconds."""

    state: str
    closed_until: float = 0.0


class Place(NamedTuple):
    """The place of a sender among those that are at work: so many are, and so many of them come before it."""

    live: int
    before: int


Judge = Callable[[Destination, str, float], Kept]
"""What becomes of a destination's state, which may be of an older release or `{}`; now, by the database's clock."""


class Exchanges:
    """A destination whose `project_id` is empty is one for all projects. Raises TryLater while Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql = queries("exchanges")
        self._entered: set[Destination] = set()

    async def exchange(self, destinations: Collection[Destination], judge: Judge) -> None:
        """Have the state of each judged, in one transaction that waits for whoever else does so."""
        if new := set(destinations) - self._entered:
            async with passing_errors(self._pool):
                await self._pool.execute(self._sql["enter"], *columns_of(new))
            self._entered |= new
        if destinations:
            await transaction(self._pool, lambda connection: self._judge(connection, destinations, judge))

    async def _judge(self, connection: asyncpg.Connection, destinations: Collection[Destination], judge: Judge) -> None:
        rows = await connection.fetch(self._sql["lock"], *columns_of(destinations))
        now = max((row["now"] for row in rows), default=0.0)
        found = {destination_of(row): row["state"] for row in rows}
        kept = {one: judge(one, state, now) for one, state in found.items()}
        self._entered = self._entered & found.keys()  # a row that nobody asked for was forgotten
        values = zip(*kept.values(), strict=True) if kept else ([], [])
        await connection.execute(self._sql["write"], *columns_of(kept), *map(list, values))

    async def closed(self) -> dict[Destination, float]:
        """All that want not to be asked, whoever heard that, and for how many seconds more."""
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(self._sql["closed"])
        return {destination_of(row): row["seconds"] for row in rows}

    async def seen(self, owner: str) -> Place:
        """Say that a sender is at work: its place among those that said so within five seconds."""
        async with passing_errors(self._pool):
            row = await self._pool.fetchrow(self._sql["seen"], owner)
        return Place(row["others"] + 1, row["before"])

    async def leave(self, owner: str) -> None:
        """Say that a sender stops."""
        async with passing_errors(self._pool):
            await self._pool.execute(self._sql["leave"], owner)

    async def forget(self) -> None:
        """Drop rows that nobody asks for."""
        async with passing_errors(self._pool):
            await self._pool.execute(self._sql["forget"])
