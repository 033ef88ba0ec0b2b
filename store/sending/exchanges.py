"""Exchanges: all that senders share of destinations, limits and breakers, read and written by one after the other.

A limit is what a provider counts: an account of the settings has one row, with no project, for all that use it. A
breaker is kept in each project, since what follows from it is: the pause once nothing was taken for as long as a
delivery is tried, who is told, and the resume after which it begins anew.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import asyncpg

from schemas.destination import Destination
from store.postgres import passing_errors, storable, transaction
from store.sending.destinations import columns_of, destination_of
from store.sql import queries


class KeptLimit(NamedTuple):
    """The state of a limit as JSON; closed until then by the database's clock, in seconds."""

    state: str
    closed_until: float = 0.0


class KeptBreaker(NamedTuple):
    """The state of a breaker as JSON, `{}` of one that was just entered, and the last failure in words."""

    state: str
    why: str


JudgeLimit = Callable[[Destination, str, float], KeptLimit]
"""A limit after a report: its state may be of an older release or `{}`; now, by the database's clock."""
JudgeBreaker = Callable[[Destination, KeptBreaker, float], KeptBreaker | None]
"""A breaker after a report, by the database's clock; None where nothing is left to remember."""


class JudgedLimits(NamedTuple):
    """Limits to be judged, those of which nothing is known, too."""

    destinations: Collection[Destination]
    judge: JudgeLimit


class JudgedBreakers(NamedTuple):
    """Breakers to be judged, as far as they are known; of those that are `failing` in any case."""

    destinations: Collection[Destination]
    failing: Collection[Destination]
    judge: JudgeBreaker


class Place(NamedTuple):
    """The place of a sender among those that are at work: so many are, and so many of them come before it."""

    live: int
    before: int


@dataclass(frozen=True, slots=True)
class KnownBreakers:
    """All breakers at a moment of the database's clock, in seconds."""

    now: float = 0.0
    kept: dict[Destination, KeptBreaker] = field(default_factory=dict)


class Known(NamedTuple):
    """The answer: `closed` want not to be asked, whoever heard that, for so many seconds more."""

    place: Place
    closed: dict[Destination, float]
    breakers: KnownBreakers


class Exchanges:
    """A limit whose `project_id` is empty is one for all projects. Raises TryLater while Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql = queries("exchanges")
        self._entered: set[Destination] = set()

    async def exchange(self, owner: str, limits: JudgedLimits, breakers: JudgedBreakers) -> Known:
        """Have each judged, in one transaction that waits for whoever else does so; what all know after it."""

        async def work(connection: asyncpg.Connection) -> Known:
            if set(limits.destinations) - self._entered or breakers.failing:
                entered = *columns_of(limits.destinations), *columns_of(breakers.failing)
                await connection.execute(self._sql["enter"], *entered)
            await self._judge(connection, limits, breakers)
            return await self._known(connection, owner)

        return await transaction(self._pool, work)

    async def _judge(self, connection: asyncpg.Connection, limits: JudgedLimits, breakers: JudgedBreakers) -> None:
        if not limits.destinations and not breakers.destinations:
            return
        asked = *columns_of(limits.destinations), *columns_of(breakers.destinations)
        rows = await connection.fetch(self._sql["lock"], *asked)
        found = {destination_of(row): row for row in rows if not row["is_breaker"]}
        self._entered = set(found)  # a row that nobody asked for was forgotten
        kept = [(*one, *limits.judge(one, row["state"], row["now"])) for one, row in found.items()]
        judged = [_judged(row, breakers.judge) for row in rows if row["is_breaker"]]
        written = [(*one, after.state, storable(after.why)) for one, after in judged if after is not None]
        await connection.execute(self._sql["write"], *_columns(kept), *_columns(written))
        if over := [one for one, after in judged if after is None]:
            await connection.execute(self._sql["drop_breakers"], *columns_of(over))

    async def _known(self, connection: asyncpg.Connection, owner: str) -> Known:
        seen = await connection.fetchrow(self._sql["seen"], owner)
        closed = await connection.fetch(self._sql["closed"])
        rows = await connection.fetch(self._sql["all_breakers"])
        return Known(Place(seen["others"] + 1, seen["before"]), _closed(closed), _breakers(rows, seen["now"]))

    async def breakers(self) -> KnownBreakers:
        """Every one that there is, but for those of paused destinations, which are dropped."""
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(self._sql["all_breakers"])
        return _breakers(rows, max((row["now"] for row in rows), default=0.0))

    async def closed(self) -> dict[Destination, float]:
        """All that want not to be asked, and for how many seconds more."""
        async with passing_errors(self._pool):
            return _closed(await self._pool.fetch(self._sql["closed"]))

    async def leave(self, owner: str) -> None:
        """Say that a sender stops."""
        async with passing_errors(self._pool):
            await self._pool.execute(self._sql["leave"], owner)

    async def forget(self) -> None:
        """Drop rows that nobody asks for."""
        async with passing_errors(self._pool):
            await self._pool.execute(self._sql["forget"])


def _judged(row: asyncpg.Record, judge: JudgeBreaker) -> tuple[Destination, KeptBreaker | None]:
    destination = destination_of(row)
    return destination, judge(destination, KeptBreaker(row["state"], row["why"]), row["now"])


def _columns(rows: list[tuple[Any, ...]]) -> list[list[Any]]:
    """Rows of five columns as Postgres takes them: an array for each."""
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[]] * 5


def _closed(rows: list[asyncpg.Record]) -> dict[Destination, float]:
    return {destination_of(row): row["seconds"] for row in rows}


def _breakers(rows: list[asyncpg.Record], now: float) -> KnownBreakers:
    return KnownBreakers(now, {destination_of(row): KeptBreaker(row["state"], row["why"]) for row in rows})
