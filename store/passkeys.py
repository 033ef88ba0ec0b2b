"""Passkeys: the keys that people's devices sign in by, and what these devices are asked to sign."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import asyncpg

from schemas.user import UserState, hash_of_token
from store.postgres import changing, passing_errors, storable
from store.sql import queries
from store.users import UserChange

MOST = 20
"""Passkeys of a user."""


@dataclass(frozen=True, slots=True)
class Passkey:
    """A passkey as its owner sees it."""

    passkey_id: str
    user_id: str
    name: str
    is_synced: bool
    added_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Credential:
    """A passkey with what proves it, and whose it is."""

    passkey_id: str
    user_id: str
    public_key: bytes = field(repr=False)
    sign_count: int
    email_key: str = field(repr=False)
    state: UserState


@dataclass(frozen=True, slots=True)
class NewCredential:
    """A key that a device has made: its name for it, the key, and how often it has signed."""

    credential_id: bytes = field(repr=False)
    public_key: bytes = field(repr=False)
    sign_count: int
    is_synced: bool


class Passkeys:
    """Raises TryLater while Postgres is away. Challenges are kept by their digests, and are over by its clock."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql = queries("passkeys")

    async def of_user(self, user_id: str) -> list[Passkey]:
        """Those of a user, the oldest first."""
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(self._sql["passkeys_of_user"], user_id)
        return [Passkey(**row) for row in rows]

    async def credentials(self, user_id: str) -> list[bytes]:
        """The names that devices have for those of a user."""
        async with passing_errors(self._pool):
            return [row["credential_id"] for row in await self._pool.fetch(self._sql["credentials_of_user"], user_id)]

    async def find(self, credential_id: bytes) -> Credential | None:
        """The one that a device has this name for."""
        async with passing_errors(self._pool):
            row = await self._pool.fetchrow(self._sql["find_credential"], credential_id)
        return None if row is None else Credential(**row)

    async def has_roles_of(self, user_id: str, giver: str) -> bool:
        """True of somebody who has a role that this one gave."""
        async with passing_errors(self._pool):
            return bool(await self._pool.fetchval(self._sql["has_roles_of"], user_id, giver))

    async def begin_sign_in(self, challenge: bytes, browser: str, lasts: timedelta) -> None:
        """Keep what a browser is asked to have signed, by the digest of its cookie."""
        row = _digest(challenge), hash_of_token(browser), lasts
        async with changing(self._pool) as connection:
            await connection.execute(self._sql["begin_sign_in"], *row)

    async def begin_adding(
        self, challenge: bytes, session_id: str, name: str, lasts: timedelta, *, young: timedelta | None
    ) -> bool:
        """Keep what a session is asked to have signed; False where it must be `young` and is not."""
        row = _digest(challenge), session_id, storable(name), lasts, young
        async with changing(self._pool) as connection:
            return await connection.fetchval(self._sql["begin_adding"], *row) is not None

    async def take_sign_in(self, challenge: bytes, browser: str) -> bool:
        """Use one up; False for one that was used, is over, or is another browser's."""
        async with changing(self._pool) as connection:
            row = _digest(challenge), hash_of_token(browser)
            return await connection.fetchval(self._sql["take_sign_in"], *row) is not None

    async def take_adding(self, challenge: bytes, session_id: str) -> str | None:
        """Use one up: the name of the passkey; None for one that was used, is over, or is another session's."""
        async with changing(self._pool) as connection:
            name: str | None = await connection.fetchval(self._sql["take_adding"], _digest(challenge), session_id)
        return name


async def add(change: UserChange, passkey_id: str, user_id: str, name: str, new: NewCredential) -> bool:
    """Keep another one; False where the key is somebody's already, or somebody has too many."""
    row = (
        new.credential_id, passkey_id, user_id, storable(name), new.public_key, new.sign_count, new.is_synced, MOST,
    )  # fmt: skip
    return await change.connection.fetchval(queries("passkeys")["add_passkey"], *row) is not None


async def remove(change: UserChange, user_id: str, passkey_id: str) -> bool:
    """Have one be worth nothing; False where a user has it not."""
    row = user_id, storable(passkey_id)
    return await change.connection.fetchval(queries("passkeys")["remove_passkey"], *row) is not None


def _digest(challenge: bytes) -> bytes:
    return hashlib.sha256(challenge).digest()
