"""Read models that somebody asks to have made anew: one at a time, by one process at once, which has a lease on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal

import asyncpg
import msgspec

from schemas.audit import AuditEntry
from store import audit
from store.postgres import changing, passing_errors
from store.sql import queries

RebuildState = Literal["waiting", "reading", "replacing", "done", "failed", "canceled"]
"""Failed and canceled: days that were replaced by then stay so."""
RebuildPlace = tuple[datetime, str]
"""The place of a rebuild in a list, newest first: when it was asked for, and its id."""


@dataclass(frozen=True, slots=True)
class ReplacedDay:
    """A day that was made anew, and its rows."""

    day: date
    decisions: int
    statuses: int
    purchases: int


@dataclass(slots=True)
class RebuildProgress:
    """The records read, of those that there were at first; the days replaced, and kept since topics lack them.

    `waits` says for whom, while it does.
    """

    read: int = 0
    to_read: int = 0
    unreadable: int = 0
    replaced: list[ReplacedDay] = field(default_factory=list)
    kept: list[date] = field(default_factory=list)
    is_replacing: bool = False
    waits: str = ""


@dataclass(frozen=True, slots=True)
class RebuildRow:
    """A rebuild as it stands; what it counts is of the last of its `tries`, each of which begins from nothing."""

    rebuild_id: str
    state: RebuildState
    tries: int
    read: int
    to_read: int
    unreadable: int
    replaced: tuple[ReplacedDay, ...]
    kept: tuple[date, ...]
    waits: str
    why: str
    cancel_by: str | None
    created_by: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class Rebuilds:
    """All that were asked for. Raises TryLater."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool, self._sql = pool, queries("rebuilds")

    async def add(self, project_id: str, rebuild_id: str, by: str, *, dry_run: bool = False) -> RebuildRow | None:
        """Ask for one, from within a project; None where one is not over yet."""
        async with changing(self._pool, dry_run=dry_run) as connection:
            row = await connection.fetchrow(self._sql["add"], rebuild_id, by)
            if row is None:
                return None
            await audit.write(connection, AuditEntry(project_id, by, "read_models.rebuild_begun", rebuild_id))
        return _row(row)

    async def find(self, rebuild_id: str) -> RebuildRow | None:
        """One of them."""
        rows = await self._fetch("find", rebuild_id)
        return _row(rows[0]) if rows else None

    async def open(self) -> RebuildRow | None:
        """The one that is not over."""
        rows = await self._fetch("open")
        return _row(rows[0]) if rows else None

    async def ids(self) -> list[str]:
        """Those that a person could mean."""
        return [row["rebuild_id"] for row in await self._fetch("ids")]

    async def listed(self, limit: int, after: RebuildPlace | None = None) -> list[RebuildRow]:
        """The newest, behind a place."""
        return [_row(row) for row in await self._fetch("listed", limit, *(after or (None, None)))]

    async def cancel(self, project_id: str, rebuild_id: str, by: str, *, dry_run: bool = False) -> RebuildRow | None:
        """Have it end, from within a project; None where it is over already."""
        async with changing(self._pool, dry_run=dry_run) as connection:
            row = await connection.fetchrow(self._sql["ask_to_cancel"], rebuild_id, by)
            if row is None:
                return None
            entry = AuditEntry(project_id, by, "read_models.rebuild_canceled", rebuild_id)
            await audit.write(connection, entry)
        return _row(row)

    # -- whoever works on it --------------------------------------------------------------------------------------

    async def claim(self, owner: str, lease: timedelta) -> RebuildRow | None:
        """The one that is not over, where nobody works on it, for us alone as long as we say so in time."""
        rows = await self._fetch("claim", owner, lease)
        return _row(rows[0]) if rows else None

    async def beat(self, one: RebuildRow, owner: str, now: RebuildProgress, lease: timedelta) -> bool:
        """Keep it for longer; False where it is not ours any more, or somebody wants its end."""
        state = "replacing" if now.is_replacing else "reading"
        return bool(await self._fetch("beat", one.rebuild_id, owner, state, *_counts(now), now.waits, lease))

    async def end(self, one: RebuildRow, owner: str, state: RebuildState, now: RebuildProgress, why: str = "") -> None:
        """End it, as canceled where somebody wanted that and it was not done."""
        await self._fetch("end", one.rebuild_id, owner, state, *_counts(now), why)

    async def release(self, one: RebuildRow, owner: str) -> None:
        """Leave it to whoever is next."""
        await self._fetch("release", one.rebuild_id, owner)

    async def _fetch(self, name: str, *arguments: object) -> Sequence[asyncpg.Record]:
        async with passing_errors(self._pool):
            rows: list[asyncpg.Record] = await self._pool.fetch(self._sql[name], *arguments)
            return rows


def _counts(now: RebuildProgress) -> tuple[int, int, int, str, str]:
    replaced, kept = msgspec.json.encode(now.replaced).decode(), msgspec.json.encode(now.kept).decode()
    return now.read, now.to_read, now.unreadable, replaced, kept


def _row(row: asyncpg.Record) -> RebuildRow:
    replaced = msgspec.json.decode(row["replaced"], type=tuple[ReplacedDay, ...])
    kept = msgspec.json.decode(row["kept"], type=tuple[date, ...])
    return RebuildRow(**{**row, "replaced": replaced, "kept": kept})
