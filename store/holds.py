"""Holds: sends that wait for a moment. Whoever releases them asks here which are due, by the database's clock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import asyncpg

from schemas.digest import Joining, KnownDigest, Placed
from schemas.record_key import Keyed
from store.clock import time_there
from store.postgres import passing_errors
from store.sql import queries

_OF_ALL = 10
"""Columns of a hold that those of digests have as well: none of them waits by priority, or follows a message."""
COUNTED = 100_000
"""So many that wait are counted one by one: to count millions every few seconds would cost more than the rest."""


_FRESH = ("project_id", "hold_id", "customer_id", "arrived_at")


class HoldRow(NamedTuple):
    """A hold that is new. `record` is what will go onto `events.due`; `until_at` None where it waits for somebody."""

    project_id: str
    hold_id: str
    round: int
    distribution_id: str
    customer_id: str
    reason: str
    until_at: datetime | None
    arrived_at: datetime
    record: bytes | None
    send_id: str | None = None
    priority: int | None = None
    step: int | None = None
    follows: str | None = None
    """Ids of deliveries, with blanks in between."""
    unless: int | None = None
    """How far one of them has to come so that it is not needed, as a place in `Reach` from 1 on."""


class ReachedRow(NamedTuple):
    """The point to which a delivery came, as a place in `Reach` from 1 on; 0 where it will come nowhere."""

    project_id: str
    distribution_id: str
    delivery_id: str
    reached: int
    reached_at: datetime


class GatheredRow(NamedTuple):
    """A hold that is new, and joins a digest."""

    hold: HoldRow
    joining: Joining


class DueHold(NamedTuple):
    """A hold whose moment has come, or which somebody has ended before.

    `reached` is how far a message came that it follows, where that is far enough. Of a digest the one that leads, with
    the records of the others that are kept, oldest first; `events` counts all.
    """

    project_id: str
    hold_id: str
    round: int
    customer_id: str
    record: bytes
    canceled_by: str | None
    until_at: datetime
    reached: int | None = None
    reached_at: datetime | None = None
    gathered: Sequence[bytes] = ()
    events: int | None = None


Place = Callable[[Sequence[KnownDigest], Sequence[Joining]], Sequence[Placed]]
"""Finds the places of events among what is there, one after another."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The number of all that wait, and how late the first that is due is, in seconds; None where nothing is."""

    waiting: int
    late: float | None


class Holds:
    """Raises TryLater while Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql = {**queries("holds"), "note": queries("erasure")["note"]}

    async def add(self, rows: Sequence[HoldRow]) -> int:
        """Keep what is new; how many. What is known, or of a customer erased since, changes nothing."""
        return len(await self._fetch("add", *map(list, zip(*rows, strict=True)))) if rows else 0

    async def reached(self, rows: Sequence[ReachedRow]) -> int:
        """Keep how far deliveries came, where that may be asked; how many. What is not needed any more is due."""
        return len(await self._fetch("reached", *map(list, zip(*rows, strict=True)))) if rows else 0

    async def gather(self, rows: Sequence[GatheredRow], place: Place) -> int:
        """Keep what is new of digests, each event at its place; how many. What is known changes nothing."""
        if not rows:
            return 0
        single = list({(row.hold.project_id, row.hold.hold_id): row for row in reversed(rows)}.values())[::-1]
        asked = [row.hold.project_id for row in single], [row.joining.digest_id for row in single]
        async with passing_errors(self._pool), self._pool.acquire() as connection, connection.transaction():
            await connection.execute(self._sql["lock_digests"], *asked)
            ids = [[getattr(row.hold, name) for row in single] for name in _FRESH]
            fresh = [single[row["place"] - 1] for row in await connection.fetch(self._sql["fresh"], *ids)]
            known = await connection.fetch(self._sql["known_digests"], *asked)
            new = [made for project in dict.fromkeys(asked[0]) for made in _placed(project, fresh, known, place)]
            if new:
                await connection.execute(self._sql["gather"], *map(list, zip(*new, strict=True)))
        return len(new)

    async def close(self, most: int) -> None:
        """Close digests whose window is over. They keep their events however often they are released."""
        async with passing_errors(self._pool), self._pool.acquire() as connection, connection.transaction():
            due = await connection.fetch(self._sql["digests_due"], most)
            if due:
                asked = [row["project_id"] for row in due], [row["digest_id"] for row in due]
                await connection.execute(self._sql["lock_digests"], *asked)
                await connection.execute(self._sql["close"], *asked)

    async def reopen(self) -> None:
        """Give events of digests whose leading one was erased another one."""
        await self._fetch("reopen")

    async def erase(self, erased_at: Sequence[tuple[Keyed, datetime]]) -> None:
        """End what waits for customers who were erased, and keep nothing of it; the latest moment of each counts."""
        latest = {customer: at for at, customer in sorted((at, customer) for customer, at in erased_at)}
        customers = sorted(latest)
        projects, ids = [one.project_id for one in customers], [one.id for one in customers]
        await self._fetch("note", projects, ids, [latest[one] for one in customers])
        await self._fetch("erase", projects, ids)

    @asynccontextmanager
    async def due(self, most: int, told_until: datetime) -> AsyncIterator[list[DueHold]]:
        """Some that are due, locked until the end of the block. They have ended then, unless it raises.

        None that follows messages and came due later than `told_until`: what became of them may not be known yet.
        """
        async with passing_errors(self._pool), self._pool.acquire() as connection, connection.transaction():
            rows = [dict(row) for row in await connection.fetch(self._sql["take"], most, told_until)]
            leads = [(row["project_id"], row["hold_id"]) for row in rows if row.pop("is_digest")]
            digests = list(map(list, zip(*leads, strict=True)))
            others: dict[tuple[str, str], list[bytes | None]] = {lead: [] for lead in leads}
            for row in await connection.fetch(self._sql["gathered"], *digests) if leads else ():
                others[row["project_id"], row["closed_as"]].append(row["record"])
            found = [_due(row, others.get((row["project_id"], row["hold_id"]))) for row in rows]
            yield found
            if found:
                await connection.execute(self._sql["end"], *_ended(found))
            if leads:
                await connection.execute(self._sql["end_gathered"], *digests)

    @asynccontextmanager
    async def due_by_priority(self, most: int, told_until: datetime) -> AsyncIterator[list[DueHold]]:
        """The same of those that wait by priority, in the order in which they have to be published.

        Those of at least so many customers where that many are due. None while another holder releases such.
        """
        async with passing_errors(self._pool), self._pool.acquire() as connection, connection.transaction():
            (alone,) = await connection.fetch(self._sql["rank_alone"])
            rows = await connection.fetch(self._sql["take_ranked"], most, told_until) if alone["is_alone"] else []
            found = [DueHold(**row) for row in rows]
            yield found
            if found:
                await connection.execute(self._sql["end"], *_ended(found))

    async def now(self) -> datetime:
        """The moment by which holds are due."""
        return await time_there(self._pool)

    async def follows_due(self, since: datetime) -> bool:
        """True where something has come due since a moment that follows messages."""
        (row,) = await self._fetch("follows_due", since)
        return bool(row["is_due"])

    async def wake(self, most: int) -> int:
        """Make due what waited for paused distributions that go on; how many, at most so many of each."""
        woken = 0
        for row in await self._fetch("resumed"):
            woken += len(await self._fetch("wake", row["project_id"], row["distribution_id"], most))
        return woken

    async def waiting(self) -> Waiting:
        """The number of those that wait: counted up to `COUNTED`, beyond it as Postgres last estimated it."""
        (row,) = await self._fetch("waiting", COUNTED)
        return Waiting(**row)

    async def forget(self, after: timedelta, most: int) -> int:
        """Drop what was over so long ago; how many, at most so many."""
        return len(await self._fetch("forget", after, most))

    async def hurry(self, within: timedelta) -> int:
        """Have due what follows messages that come nowhere, as was kept no longer ago; how many."""
        return len(await self._fetch("hurry", within))

    async def forget_reached(self, after: timedelta, most: int) -> int:
        """Drop how far deliveries came so long ago; how many, at most so many."""
        return len(await self._fetch("forget_reached", after, most))

    async def _fetch(self, name: str, *arguments: object) -> list[asyncpg.Record]:
        async with passing_errors(self._pool):
            rows: list[asyncpg.Record] = await self._pool.fetch(self._sql[name], *arguments)
            return rows


def _ended(found: Sequence[DueHold]) -> list[list[Any]]:
    return [[getattr(one, name) for one in found] for name in ("project_id", "hold_id", "round")]


def _due(row: dict[str, Any], others: list[bytes | None] | None) -> DueHold:
    if others is None:
        return DueHold(**row)
    return DueHold(**row, gathered=[one for one in others if one is not None], events=1 + len(others))


def _placed(
    project: str, rows: Sequence[GatheredRow], known: Sequence[Mapping[str, Any]], place: Place
) -> Iterator[tuple[Any, ...]]:
    """Rows of one project, with their places."""
    mine = [row for row in rows if row.hold.project_id == project]
    fields, own = KnownDigest._fields, (row for row in known if row["project_id"] == project)
    there = [KnownDigest(**{name: row[name] for name in fields}) for row in own]
    for row, placed in zip(mine, place(there, [row.joining for row in mine]), strict=True):
        hold = row.hold._replace(until_at=placed.until, record=row.hold.record if placed.is_kept else None)
        yield (*hold[:_OF_ALL], row.joining.digest_id, row.joining.happened_at, placed.first_until)
