"""Users: who may sign in, in which role to which project, and the links by which they come."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from schemas.access import AccessRole
from schemas.audit import AuditEntry
from schemas.user import LinkPurpose, MemberState, UserState, email_key, hash_of_token
from store import audit
from store.postgres import changing, passing_errors, storable
from store.sql import queries


@dataclass(frozen=True, slots=True)
class Member:
    """A user as one project sees them; of who is invited, nothing but what the project itself said."""

    project_id: str
    user_id: str
    email: str = field(repr=False)
    role: AccessRole
    granted_by: str
    granted_at: datetime
    accepted_at: datetime | None
    state: MemberState
    display_name: str | None = field(repr=False)
    last_signed_in_at: datetime | None


@dataclass(frozen=True, slots=True)
class User:
    """A user of the deployment."""

    user_id: str
    email: str = field(repr=False)
    display_name: str = field(repr=False)
    state: UserState
    password_hash: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Link:
    """A link that is used once: what for, whose, and who asked for it."""

    project_id: str
    user_id: str | None
    purpose: LinkPurpose
    is_operators: bool
    created_by: str
    email: str | None = field(repr=False)
    has_password: bool
    is_somebody: bool = False
    """True where its user has proved to be one before: who is only invited has not."""


class Users:
    """Raises TryLater while Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql = queries("users")

    async def of_project(self, project_id: str) -> list[Member]:
        """Every user of a project, those who were there first in front."""
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(self._sql["members_of_project"], project_id)
        return [Member(**row) for row in rows]

    async def member(self, project_id: str, named: str) -> Member | None:
        """The user of a project with this id, or this address."""
        async with passing_errors(self._pool):
            return _member(await self._pool.fetchrow(self._sql["find_member"], project_id, *_named(named)))

    async def find(self, named: str) -> User | None:
        """The user with this id, or this address, whichever projects they are in."""
        async with passing_errors(self._pool):
            return _user(await self._pool.fetchrow(self._sql["find_user"], *_named(named)))

    async def is_empty(self) -> bool:
        """True where nobody is there yet."""
        async with passing_errors(self._pool):
            return bool(await self._pool.fetchval(self._sql["is_empty"]))

    async def roles(self, user_id: str) -> dict[str, AccessRole]:
        """The role of a user in each project that they are in."""
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(self._sql["roles_of_user"], user_id)
        return {row["project_id"]: row["role"] for row in rows}

    async def link(self, token: str) -> Link | None:
        """The link of a token; None for one that is used, over or never was."""
        async with passing_errors(self._pool):
            return _link(await self._pool.fetchrow(self._sql["find_link"], hash_of_token(token)))

    async def hash_again(self, user_id: str, before: str, after: str) -> None:
        """Keep another hash of the same password."""
        async with passing_errors(self._pool):
            await self._pool.execute(self._sql["hash_again"], user_id, before, after)

    @asynccontextmanager
    async def change(self, *, dry_run: bool = False) -> AsyncIterator[UserChange]:
        """A transaction that changes users, one at a time: what it has read stays so. Its audit rows come last."""
        async with changing(self._pool, dry_run=dry_run) as connection:
            await connection.execute(self._sql["lock"])
            change = UserChange(connection)
            yield change
            await audit.write(connection, *change.entries)


class UserChange:
    """Users within a transaction that nobody else changes them in."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.entries: list[AuditEntry] = []
        self._sql = queries("users")

    async def find(self, named: str) -> User | None:
        """The user with this id, or this address."""
        return _user(await self.connection.fetchrow(self._sql["find_user"], *_named(named)))

    async def member(self, project_id: str, named: str) -> Member | None:
        """The user of a project with this id, or this address."""
        return _member(await self.connection.fetchrow(self._sql["find_member"], project_id, *_named(named)))

    async def is_empty(self) -> bool:
        """True where nobody is there yet."""
        return bool(await self.connection.fetchval(self._sql["is_empty"]))

    async def active_admins(self, project_id: str) -> set[str]:
        """The ids of those who can sign in and administer a project."""
        rows = await self.connection.fetch(self._sql["active_admins"], project_id)
        return {row["user_id"] for row in rows}

    async def projects(self, user_id: str) -> Sequence[str]:
        """The projects that a user is in, without those that they are only invited to."""
        rows = await self.connection.fetch(self._sql["roles_of_user"], user_id)
        return [row["project_id"] for row in rows]

    async def is_somebody(self, user_id: str) -> bool:
        """True of a user who has proved to be one before: who is only invited has not."""
        return bool(await self.connection.fetchval(self._sql["is_somebody"], user_id))

    async def invitations(self, user_id: str) -> Sequence[str]:
        """The projects that a user is invited to by a link that is not over."""
        return [row["project_id"] for row in await self.connection.fetch(self._sql["invitations"], user_id)]

    async def granted_roles(self, user_id: str) -> dict[str, tuple[AccessRole, str]]:
        """The role of a user in each project that they are in, and who gave it."""
        rows = await self.connection.fetch(self._sql["granted_roles"], user_id)
        return {row["project_id"]: (row["role"], row["granted_by"]) for row in rows}

    async def add(self, user_id: str, email: str, display_name: str) -> bool:
        """Keep a new user; False where somebody has the address."""
        row = user_id, email, email_key(email), storable(display_name)
        return await self.connection.fetchval(self._sql["add_user"], *row) is not None

    async def put_role(self, project_id: str, user_id: str, role: AccessRole, *, by: str, accepted: bool) -> None:
        """Give a user a role in a project, or invite them to it."""
        await self.connection.execute(self._sql["put_role"], project_id, user_id, role, storable(by), accepted)

    async def accept(self, project_id: str, user_id: str) -> AccessRole | None:
        """Let somebody in who is invited; None where they are not."""
        role: AccessRole | None = await self.connection.fetchval(self._sql["accept_role"], project_id, user_id)
        return role

    async def change_role(self, project_id: str, user_id: str, role: AccessRole) -> None:
        """Give another role; sessions end."""
        await self.connection.execute(self._sql["change_role"], project_id, user_id, role)
        await self.end_sessions(user_id)

    async def set_state(self, user_id: str, state: UserState) -> None:
        """Disable or enable; sessions end."""
        await self.connection.execute(self._sql["set_state"], user_id, state)
        await self.end_sessions(user_id)

    async def set_password(self, user_id: str, password_hash: str) -> None:
        """Keep a password's hash, and end the links by which one could be set anew, and every session."""
        await self.connection.execute(self._sql["set_password"], user_id, password_hash)
        await self.connection.execute(self._sql["drop_all_links"], user_id, "reset")
        await self.end_sessions(user_id)

    async def end_sessions(self, user_id: str) -> None:
        """End every session, so that the next one begins with what somebody may do by now."""
        await self.connection.execute(queries("sessions")["end_sessions"], user_id, None)

    async def drop(self, project_id: str, user_id: str) -> None:
        """Take a user out of a project; sessions end, and who is in none then is forgotten."""
        await self.connection.execute(self._sql["drop_role"], project_id, user_id)
        await self.end_links(user_id, project_id, "invitation")
        await self.end_links(user_id, project_id, "reset")
        await self.end_sessions(user_id)
        await self.connection.execute(self._sql["drop_user"], user_id)

    async def add_link(self, token: str, link: Link, lasts: timedelta) -> datetime:
        """Keep a link by the digest of its token; when it is over."""
        row = link.project_id, link.user_id, link.purpose, link.is_operators, storable(link.created_by), lasts
        ends_at: datetime = await self.connection.fetchval(self._sql["add_link"], hash_of_token(token), *row)
        return ends_at

    async def end_links(self, user_id: str, project_id: str, purpose: LinkPurpose) -> None:
        """End the links of one purpose that a user has from a project."""
        await self.connection.execute(self._sql["drop_links"], user_id, project_id, purpose)

    async def take_link(self, token: str) -> Link | None:
        """Use a link up; None for one that is used, over or never was."""
        found = _link(await self.connection.fetchrow(self._sql["find_link"], hash_of_token(token)))
        taken = await self.connection.fetchval(self._sql["take_link"], hash_of_token(token))
        return found if taken is not None else None


def _named(named: str) -> tuple[str, str]:
    return storable(named), email_key(storable(named))


def _member(row: asyncpg.Record | None) -> Member | None:
    return None if row is None else Member(**row)


def _user(row: asyncpg.Record | None) -> User | None:
    return None if row is None else User(**row)


def _link(row: asyncpg.Record | None) -> Link | None:
    return None if row is None else Link(**row)
