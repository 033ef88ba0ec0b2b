"""The audit log: what people and keys changed, in the transaction of the change; one chain of hashes a project."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import astuple, dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

import asyncpg
import msgspec

from schemas.audit import FIRST_HASH, AuditAction, AuditEntry, AuditRow, Origin, hash_of_row
from store.postgres import passing_errors, storable
from store.sql import queries

_BATCH_SIZE = 1000

_origin: ContextVar[Origin | None] = ContextVar("origin", default=None)


@contextmanager
def coming_from(origin: Origin) -> Iterator[None]:
    """Have what is written meanwhile name the request that it came with."""
    token = _origin.set(origin)
    try:
        yield
    finally:
        _origin.reset(token)


async def write(connection: Any, *entries: AuditEntry) -> None:
    """Add entries in the transaction of the change that they tell of: the last thing that it does.

    The chain of the project is locked from here to its end, so that two at once follow each other.
    """
    for project_id, own in groupby(sorted(entries, key=_project), key=_project):
        await _continue(connection, project_id, list(own))


async def _continue(connection: Any, project_id: str, entries: Sequence[AuditEntry]) -> None:
    sql, origin = queries("audit"), _origin.get()
    await connection.execute(sql["lock_chain"], project_id)
    end = await connection.fetchrow(sql["end_of_chain"], project_id)
    before: bytes = end["hash"] or FIRST_HASH
    of_request = (None, None, None) if origin is None else astuple(origin)
    rows = []
    for position, one in enumerate(entries, (end["position"] or 0) + 1):
        change = msgspec.json.encode(one.change).decode()
        who = storable(one.actor), one.action, storable(one.thing)
        row = AuditRow(project_id, position, end["at"], *who, one.version, change, *of_request)
        before = hash_of_row(row, before)
        rows.append((*astuple(row), before))
    await connection.executemany(sql["add"], rows)


def _project(entry: AuditEntry) -> str:
    return entry.project_id


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Rows of a project: of a thing, by somebody, of some actions, from a time on, before another."""

    project_id: str
    thing: str | None = None
    actor: str | None = None
    actions: Sequence[AuditAction] | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Chained:
    """A row, and the hash that stands with it."""

    row: AuditRow
    hash: bytes


class AuditLog:
    """The log as people read it. Raises TryLater while Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql = queries("audit")

    async def page(self, chosen: AuditFilter, limit: int, before: int | None = None) -> list[Chained]:
        """Some rows that fit, the newest first, before a position."""
        fits = chosen.thing, chosen.actor, chosen.actions, chosen.since, chosen.until
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(self._sql["page"], chosen.project_id, before, *fits, limit)
        return [_chained(chosen.project_id, row) for row in rows]

    async def chain(self, project_id: str, batch_size: int = _BATCH_SIZE) -> AsyncIterator[Chained]:
        """Every row of a project in the order of its chain, read in parts."""
        position = -1 << 62
        while True:
            async with passing_errors(self._pool):
                rows = await read_chained(self._pool, project_id, position, batch_size)
            for one in rows:
                yield one
            if len(rows) < batch_size:
                return
            position = rows[-1].row.position


async def read_chained(connection: Any, project_id: str, behind: int, limit: int) -> list[Chained]:
    """Some rows of a project in the order of its chain, behind a position."""
    rows = await connection.fetch(queries("audit")["chain"], project_id, behind, limit)
    return [_chained(project_id, row) for row in rows]


def _chained(project_id: str, row: asyncpg.Record) -> Chained:
    values = dict(row)
    kept: bytes = values.pop("hash")
    return Chained(AuditRow(project_id, **values), kept)
