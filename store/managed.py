"""Things that are managed from Git: marks of what was applied from there, and the lock on changes elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import asyncpg

from schemas.audit import AuditAction, AuditEntry
from schemas.errors import TidingsError
from schemas.managed import GitSource, ManagedThing, Mark
from store import audit
from store.postgres import changing, passing_errors
from store.sql import queries


class ManagedFromGit(TidingsError):
    """Something is managed from Git, and somebody changes it elsewhere."""

    def __init__(self, thing: ManagedThing, source: GitSource) -> None:
        super().__init__(
            f"{thing.kind} {thing.identity} is managed from Git ({source}): change it there, then tidings apply. To "
            f"change it here all the same: --override, or ?override=true, which is audited; to manage it here from now "
            f"on: tidings managed release {thing.kind} {thing.identity}, or all of it: git_lock: false of the project"
        )
        self.thing, self.source = thing, source


class Keep(Protocol):
    """Done in the transaction of a change of some things, before it; the entries are those of the audit log."""

    async def __call__(
        self, connection: asyncpg.Connection, things: Sequence[ManagedThing], actor: str
    ) -> Sequence[AuditEntry]:
        """Raises ManagedFromGit."""


async def kept(
    keep: Keep | None, connection: asyncpg.Connection, things: Sequence[ManagedThing], actor: str
) -> list[AuditEntry]:
    """The entries of what is kept beside a change; none where nothing is asked. Raises ManagedFromGit."""
    return [] if keep is None else list(await keep(connection, things, actor))


@dataclass(frozen=True, slots=True)
class Locked:
    """Refuses to change what is managed from Git; with `override` it is changed, and the audit log says so.

    `is_off`: the project wants no lock, and everything is changed as if it were managed here.
    """

    override: bool = False
    is_off: bool = False

    async def __call__(
        self, connection: asyncpg.Connection, things: Sequence[ManagedThing], actor: str
    ) -> Sequence[AuditEntry]:
        """Raises ManagedFromGit."""
        if self.is_off:
            return []
        held = [(thing, source) for thing in things if (source := await _source(connection, thing))]
        if held and not self.override:
            raise ManagedFromGit(*held[0])
        return [_entry(thing, actor, "managed.overridden", source) for thing, source in held]


LOCKED = Locked()
"""As it is unless somebody asks otherwise."""


@dataclass(frozen=True, slots=True)
class Marking:
    """Marks what is applied from Git, with the change or without one, and releases what is no longer there."""

    marks: Sequence[Mark] = ()
    released: Sequence[ManagedThing] = ()

    async def __call__(
        self, connection: asyncpg.Connection, things: Sequence[ManagedThing], actor: str
    ) -> Sequence[AuditEntry]:
        """Entries of those whose mark is another than before."""
        marked = [_marked(one) for one in self.marks if await _mark(connection, one)]
        return marked + [entry for thing in self.released if (entry := await _release(connection, thing, actor))]


@dataclass(frozen=True, slots=True)
class Following:
    """Marks new versions of distributions as those before were: what has changed stands in no document of theirs."""

    versions: Sequence[tuple[str, str, int]]
    """Project, id and number."""

    async def __call__(
        self, connection: asyncpg.Connection, things: Sequence[ManagedThing], actor: str
    ) -> Sequence[AuditEntry]:
        """No entries: the change has its own."""
        if self.versions:
            await connection.execute(queries("managed")["follow"], *map(list, zip(*self.versions, strict=True)))
        return []


class Managed:
    """Raises TryLater while Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql = queries("managed")

    async def of_project(self, project_id: str) -> list[Mark]:
        """Everything of a project that is managed from Git, by kind and id."""
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(self._sql["of_project"], project_id)
        return [_read(project_id, row) for row in rows]

    async def sources(self, things: Sequence[ManagedThing]) -> dict[ManagedThing, GitSource]:
        """Those of some things of a project that are managed from Git, each with where from."""
        if not things:
            return {}
        asked = things[0].project_id, [one.kind for one in things], [one.identity for one in things]
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(self._sql["hold"], *asked)
        found = {(row["kind"], row["thing"]): GitSource(row["source"], row["revision"]) for row in rows}
        return {one: found[one.kind, one.identity] for one in things if (one.kind, one.identity) in found}

    async def check(self, keep: Locked, *things: ManagedThing) -> None:
        """Refuse what a change would be refused for. Raises ManagedFromGit."""
        async with changing(self._pool, dry_run=True) as connection:
            await keep(connection, things, "")

    async def release(self, thing: ManagedThing, *, by: str, dry_run: bool = False) -> bool:
        """Manage it from Git no longer; false where it was not."""
        async with changing(self._pool, dry_run=dry_run) as connection:
            entry = await _release(connection, thing, by)
            if entry is not None:
                await audit.write(connection, entry)
        return entry is not None

    async def put(self, marking: Marking, *, by: str) -> None:
        """Mark and release, where nothing else changes."""
        async with changing(self._pool) as connection:
            await audit.write(connection, *await marking(connection, (), by))


async def _source(connection: Any, thing: ManagedThing) -> GitSource | None:
    row = await connection.fetchrow(queries("managed")["hold"], thing.project_id, [thing.kind], [thing.identity])
    return None if row is None else GitSource(row["source"], row["revision"])


async def _mark(connection: Any, one: Mark) -> bool:
    thing, source = one.thing, one.source
    of = thing.project_id, thing.kind, thing.identity, source.name, source.revision
    return bool(
        await connection.fetchval(
            queries("managed")["mark"], *of, one.content_hash, one.version, one.applied_by, one.applied_at
        )
    )


def _marked(one: Mark) -> AuditEntry:
    said = {"kind": one.thing.kind, "source": one.source.name, "revision": one.source.revision}
    thing = one.thing
    return AuditEntry(thing.project_id, one.applied_by, "managed.applied", thing.identity, one.version, said)


async def _release(connection: Any, thing: ManagedThing, actor: str) -> AuditEntry | None:
    row = await connection.fetchrow(queries("managed")["release"], thing.project_id, thing.kind, thing.identity)
    if row is None:
        return None
    said = {"kind": thing.kind, "source": row["source"]}
    return AuditEntry(thing.project_id, actor, "managed.released", thing.identity, row["version"], said)


def _entry(thing: ManagedThing, actor: str, action: AuditAction, source: GitSource) -> AuditEntry:
    return AuditEntry(
        thing.project_id, actor, action, thing.identity, None, {"kind": thing.kind, "source": source.name}
    )


def _read(project_id: str, row: asyncpg.Record) -> Mark:
    thing = ManagedThing(project_id, row["kind"], row["thing"])
    source = GitSource(row["source"], row["revision"])
    return Mark(thing, source, row["content_hash"], row["version"], row["applied_by"], row["applied_at"])
