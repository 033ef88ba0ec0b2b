"""Projects as their documents say them: the newest version of each, with who applied it and when."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import asyncpg
import msgspec

from schemas.project import Project
from schemas.suppression import suppression_key
from store.distributions import VersionConflict
from store.postgres import passing_errors
from store.sql import queries


@dataclass(frozen=True, slots=True)
class StoredProject:
    """A project's document, and who applied it when."""

    project: Project
    applied_by: str
    applied_at: datetime


class Projects:
    """Raises TryLater while Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql = queries("projects")

    async def current(self) -> dict[str, StoredProject]:
        """Every project that has a document, by id."""
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(self._sql["current_projects"])
        return {
            row["project_id"]: StoredProject(
                msgspec.json.decode(row["document"], type=Project), row["applied_by"], row["applied_at"]
            )
            for row in rows
        }

    async def sandboxes(self) -> dict[str, frozenset[str]]:
        """The projects that are sandboxes, and the keys that each reaches."""
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(self._sql["sandboxes"])
        return {row["project_id"]: _keys(msgspec.json.decode(row["allow"], type=list[str])) for row in rows}

    async def save(self, changes: Sequence[tuple[Project, str]], *, applied_by: str, now: datetime) -> None:
        """Keep new versions, each with its source, all or nothing. Raises VersionConflict."""
        async with passing_errors(self._pool), self._pool.acquire() as connection, connection.transaction():
            for one, source in sorted(changes, key=lambda change: change[0].id):
                row = (one.id, one.version, msgspec.json.encode(one).decode(), source, applied_by, now)
                if await connection.fetchval(self._sql["put_project"], *row) is None:
                    raise VersionConflict(f"project {one.id} v{one.version} exists already; plan again and apply")


def _keys(written: Sequence[str]) -> frozenset[str]:
    """The keys of a list; an entry that the rules of today refuse allows nobody, and holds up no other project."""
    keys = set()
    for one in written:
        with suppress(ValueError):
            keys.add(suppression_key(one))
    return frozenset(keys)
