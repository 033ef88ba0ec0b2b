"""Projects as their documents say them: the newest version of each, with who applied it and when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg
import msgspec

from schemas.audit import AuditAction, AuditEntry, differences
from schemas.project import Project
from schemas.suppression import key_hash, suppression_key
from store import audit
from store.distributions import VersionConflict
from store.limits import put_limits
from store.postgres import passing_errors
from store.sql import queries


@dataclass(frozen=True, slots=True)
class StoredProject:
    """A project's document, who applied it when, and the text in which it stood, perhaps with documents of others."""

    project: Project
    source: str
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
        return {row["project_id"]: _stored(row) for row in rows}

    async def get(self, project_id: str) -> StoredProject | None:
        """One project; None where it has no document."""
        async with passing_errors(self._pool):
            row = await self._pool.fetchrow(self._sql["project"], project_id)
        return None if row is None else _stored(row)

    async def save(
        self,
        changes: Sequence[tuple[Project, str]],
        *,
        applied_by: str,
        now: datetime,
        timezone: str = "UTC",
        default_project: str | None = None,
    ) -> None:
        """Keep new versions, each with its source, all or nothing. Raises VersionConflict, and CannotStart for a zone
        of limits that the database does not know.

        `timezone` is that of projects which name none; the limits of `default_project` are those of the settings.
        """
        async with passing_errors(self._pool), self._pool.acquire() as connection, connection.transaction():
            entries = []
            for one, source in sorted(changes, key=lambda change: change[0].id):
                kept = await connection.fetchrow(self._sql["project"], one.id)
                before = None if kept is None else _stored(kept).project
                written = msgspec.json.encode(one).decode()
                row = (one.id, one.version, written, source, applied_by, now, _reached(one))
                if await connection.fetchval(self._sql["put_project"], *row) is None:
                    raise VersionConflict(f"project {one.id} v{one.version} exists already; plan again and apply")
                if one.id != default_project:
                    await put_limits(connection, one.id, one.message_limits, one.timezone or timezone)
                action: AuditAction = "project.created" if before is None else "project.changed"
                said = differences(before, one)
                entries.append(AuditEntry(one.id, applied_by, action, one.id, one.version, said))
            await audit.write(connection, *entries)


def _stored(row: asyncpg.Record) -> StoredProject:
    project = msgspec.json.decode(row["document"], type=Project)
    return StoredProject(project, row["source"], row["applied_by"], row["applied_at"])


def _reached(project: Project) -> list[str] | None:
    """Hashes of what a sandbox reaches; None where everybody is reached."""
    return None if project.sandbox is None else [key_hash(suppression_key(one)) for one in project.sandbox.allow]
