"""Keys of the API: who has which, and attempts with keys that are none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import asyncpg

from schemas.access import AccessRole
from schemas.api_key import KeyKind, hash_of_key, key_id
from schemas.audit import AuditAction, AuditEntry
from store import audit
from store.postgres import changing, passing_errors, storable
from store.sql import queries

KeyState = Literal["active", "expired", "revoked"]


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as people look at it; nothing of the key itself is in it."""

    project_id: str
    key_id: str
    name: str
    kind: KeyKind
    role: AccessRole
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_by: str | None
    revoked_at: datetime | None
    state: KeyState = "active"


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """Whoever has proved to hold a key."""

    project_id: str
    key_id: str
    name: str
    kind: KeyKind
    role: AccessRole


@dataclass(frozen=True, slots=True)
class Looked:
    """The holder of a key that may be used now, if it is one, and how often its address failed in this window."""

    holder: KeyHolder | None
    failures: int
    window_ends_in: int


class ApiKeys:
    """Raises TryLater while Postgres is away."""

    def __init__(self, pool: asyncpg.Pool, *, window: timedelta = timedelta(minutes=1)) -> None:
        self._pool, self._window = pool, window
        self._sql = queries("api_keys")

    async def add(
        self, key: str, project_id: str, name: str, kind: KeyKind, role: AccessRole, *, by: str, lasts: timedelta | None
    ) -> ApiKey | None:
        """Keep a new key by its digest; None where a key of that name is in use."""
        digest = hash_of_key(key)
        row = digest, project_id, key_id(digest), storable(name), kind, role, storable(by), lasts
        async with changing(self._pool) as connection:
            found = await connection.fetchrow(self._sql["add_key"], *row)
            kept = None if found is None else ApiKey(**found)
            if kept is not None:
                await audit.write(connection, _entry(kept, "key.created", by))
        return kept

    async def of_project(self, project_id: str) -> list[ApiKey]:
        """Every key of a project, the newest first, those that are over as well."""
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(self._sql["keys_of_project"], project_id)
        return [_shown(row) for row in rows]

    async def revoke(self, project_id: str, named: str, *, by: str) -> int:
        """End the key of an id or a name; how many."""
        async with changing(self._pool) as connection:
            rows = await connection.fetch(self._sql["revoke_key"], project_id, named, storable(by))
            await audit.write(connection, *(_entry(ApiKey(**row), "key.revoked", by) for row in rows))
        return len(rows)

    async def look(self, key: str, address: str) -> Looked:
        """Look a key up; whoever may use it is noted, at most once a minute."""
        digest = hash_of_key(key)
        async with passing_errors(self._pool):
            row = await self._pool.fetchrow(self._sql["check_key"], digest, address, self._window)
            if row["key_id"] is not None and row["is_use_old"]:
                await self._pool.execute(self._sql["note_use"], digest)
        holder = None
        if row["key_id"] is not None:
            holder = KeyHolder(row["project_id"], row["key_id"], row["name"], row["kind"], row["role"])
        return Looked(holder, row["failures"], max(1, row["window_ends_in"]))

    async def count_failure(self, address: str) -> None:
        """Count an attempt that proved nothing."""
        async with passing_errors(self._pool):
            await self._pool.execute(self._sql["count_failure"], address, self._window)


def _shown(row: asyncpg.Record) -> ApiKey:
    values = dict(row)
    is_expired = values.pop("is_expired")
    return ApiKey(**values, state="revoked" if row["revoked_at"] else "expired" if is_expired else "active")


def _entry(key: ApiKey, action: AuditAction, by: str) -> AuditEntry:
    said = {"name": key.name, "role": key.role, "kind": key.kind, "expires_at": key.expires_at}
    return AuditEntry(key.project_id, by, action, key.key_id, None, said)
