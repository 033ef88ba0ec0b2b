"""Holds as people choose them by a filter: listed, counted, cancelled."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from typing import NamedTuple

import asyncpg

from schemas.audit import AuditEntry, chosen_by
from store import audit
from store.postgres import changing, passing_errors
from store.sql import queries, with_parts

Place = tuple[str, int]
"""A hold's id and round."""
FIRST: Place = ("", -1)


class DuePlace(NamedTuple):
    """The place of a hold among those that wait; without `until_at` it is behind all others."""

    until_at: datetime | None
    hold_id: str
    round: int


FIRST_DUE = DuePlace(datetime.min.replace(tzinfo=UTC), *FIRST)


@dataclass(frozen=True, slots=True)
class HoldFilter:
    """A choice of what waits: all that every given field fits, in the order of the arguments of `chosen`."""

    project_id: str
    distribution: str | None = None
    customer: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class HoldsStanding:
    """The number of those chosen, of those that can be cancelled (`within`), and of those that were."""

    chosen: int
    within: int
    canceled: int


class Cancelled(NamedTuple):
    """The last hold that was looked at, and how many were cancelled."""

    last: Place
    number: int


class ChosenHolds:
    """Every call is one statement. Raises TryLater while Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql = queries("chosen_holds")

    async def groups(self, chosen: HoldFilter, limit: int) -> list[asyncpg.Record]:
        """distribution_id, reason, waiting, due, canceled, first_until, last_until; the most frequent first."""
        return await self._fetch("groups", *astuple(chosen), limit)

    async def listed(self, chosen: HoldFilter, after: DuePlace, limit: int) -> list[asyncpg.Record]:
        """hold_id, round, distribution_id, customer_id, reason, until_at, held_at, canceled_by; the first due first."""
        return await self._fetch("listed", *astuple(chosen), *after, limit)

    async def standing(self, chosen: HoldFilter) -> HoldsStanding:
        """The reach of a cancel, before it is done."""
        (row,) = await self._fetch("standing", *astuple(chosen))
        return HoldsStanding(**row)

    async def cancel(self, chosen: HoldFilter, actor: str, *, after: Place, limit: int) -> Cancelled | None:
        """End some of the next ones after a place; None where there are no more. What is due by now goes on."""
        sql = with_parts(self._sql["cancel"], {"chosen": self._sql["chosen"]})
        async with changing(self._pool) as connection:
            row = await connection.fetchrow(sql, *astuple(chosen), *after, limit, actor)
            if row is not None and row["canceled"]:
                said = {"count": row["canceled"], "chosen": chosen_by(chosen)}
                thing = chosen.distribution or ""
                await audit.write(connection, AuditEntry(chosen.project_id, actor, "holds.canceled", thing, None, said))
        return None if row is None else Cancelled((row["hold_id"], row["round"]), row["canceled"])

    async def _fetch(self, name: str, *arguments: object) -> list[asyncpg.Record]:
        sql = with_parts(self._sql[name], {"chosen": self._sql["chosen"]})
        async with passing_errors(self._pool):
            rows: list[asyncpg.Record] = await self._pool.fetch(sql, *arguments)
            return rows
