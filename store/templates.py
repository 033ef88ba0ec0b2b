"""Templates under their names, every version of them, and which distributions send them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg
import msgspec

from schemas.audit import AuditAction, AuditEntry, differences
from schemas.managed import ManagedThing
from schemas.template import NamedTemplate
from store import audit
from store.distributions import VersionConflict
from store.managed import Keep, kept
from store.postgres import passing_errors
from store.sql import queries


@dataclass(frozen=True, slots=True)
class TemplateVersion:
    """A version of a template, and who applied it."""

    template: NamedTemplate
    applied_by: str
    applied_at: datetime


@dataclass(frozen=True, slots=True)
class TemplateUse:
    """A live or paused distribution whose e-mail was made from a version of a template."""

    distribution_id: str
    name: str
    version: int


@dataclass(frozen=True, slots=True)
class VersionsSent:
    """The versions of a distribution, ever, whose e-mail was made from a version of a template."""

    distribution_id: str
    version: int
    distribution_versions: tuple[int, ...]


class NamedTemplates:
    """Raises TryLater while Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql = queries("templates")

    async def current(self, project_id: str) -> dict[str, NamedTemplate]:
        """The newest version of each template of a project, by name; without deleted ones."""
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(self._sql["current_templates"], project_id)
        return {row["name"]: _read(row["definition"]) for row in rows}

    async def last_versions(self, project_id: str) -> dict[str, int]:
        """The last version of each name: a deleted template counts on where it comes back."""
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(self._sql["last_versions"], project_id)
        return {row["name"]: row["version"] for row in rows}

    async def find(self, project_id: str, name: str, version: int | None = None) -> TemplateVersion | None:
        """One version, of a deleted template as well; or the newest, where it is not deleted."""
        async with passing_errors(self._pool):
            row = await self._pool.fetchrow(self._sql["get_version"], project_id, name, version)
        return None if row is None else TemplateVersion(_read(row["definition"]), row["applied_by"], row["applied_at"])

    async def history(self, project_id: str, name: str) -> list[asyncpg.Record]:
        """version, applied_by, applied_at; newest first."""
        async with passing_errors(self._pool):
            rows: list[asyncpg.Record] = await self._pool.fetch(self._sql["versions"], project_id, name)
            return rows

    async def save(
        self, templates: Sequence[NamedTemplate], *, applied_by: str, now: datetime, keep: Keep | None = None
    ) -> None:
        """Keep new versions, all or nothing. Raises VersionConflict, and what `keep` raises."""
        ordered = sorted(templates, key=lambda template: template.name)
        async with passing_errors(self._pool), self._pool.acquire() as connection, connection.transaction():
            things = [ManagedThing(one.project_id, "template", one.name) for one in ordered]
            entries = await kept(keep, connection, things, applied_by)
            for one in ordered:
                was_there, before = await self._before(connection, one)
                place = (one.project_id, one.name, one.version)
                if not await connection.fetchval(self._sql["put_template"], *place):
                    raise VersionConflict(f"template {one.name} v{one.version} exists already; plan again and apply")
                definition = msgspec.json.encode(one).decode()
                await connection.execute(self._sql["add_version"], *place, definition, applied_by, now)
                action: AuditAction = "template.changed" if was_there else "template.created"
                said = differences(before, {"files": one.files})
                entries.append(AuditEntry(one.project_id, applied_by, action, one.name, one.version, said))
            await audit.write(connection, *entries)

    async def _before(self, connection: asyncpg.Connection, one: NamedTemplate) -> tuple[bool, object | None]:
        """True where the name is in use, and the files that it has."""
        row = await connection.fetchrow(self._sql["get_version"], one.project_id, one.name, None)
        return row is not None, None if row is None else {"files": _read(row["definition"]).files}

    async def uses(self, project_id: str, name: str | None = None) -> list[TemplateUse]:
        """Distributions and the versions that they send, of one template or of all."""
        async with passing_errors(self._pool):
            return await self._uses(self._pool, project_id, name)

    async def sent_by(self, project_id: str, name: str) -> list[VersionsSent]:
        """Versions that deliveries were made from, by the version of its distribution."""
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(self._sql["sent_by"], project_id, name)
        return [VersionsSent(row["distribution_id"], row["version"], tuple(row["versions"])) for row in rows]

    async def delete(
        self, project_id: str, name: str, now: datetime, *, by: str, keep: Keep | None = None
    ) -> list[TemplateUse]:
        """Forget a name, but not its versions. Where distributions use it nothing changes, and they are returned."""
        async with passing_errors(self._pool), self._pool.acquire() as connection, connection.transaction():
            version = await connection.fetchval(self._sql["lock_template"], project_id, name)
            uses = await self._uses(connection, project_id, name)
            if not uses and version is not None:
                entries = await kept(keep, connection, [ManagedThing(project_id, "template", name)], by)
                await connection.execute(self._sql["delete_template"], project_id, name, now)
                entries.append(AuditEntry(project_id, by, "template.deleted", name, version))
                await audit.write(connection, *entries)
            return uses

    async def _uses(
        self, connection: asyncpg.Connection | asyncpg.Pool, project_id: str, name: str | None
    ) -> list[TemplateUse]:
        rows = await connection.fetch(self._sql["uses"], project_id, name)
        return [TemplateUse(row["distribution_id"], row["name"], row["version"]) for row in rows]


def _read(definition: str) -> NamedTemplate:
    return msgspec.json.decode(definition, type=NamedTemplate)
