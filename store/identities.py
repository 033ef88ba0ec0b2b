"""People whom an OpenID provider names: linked by issuer and subject; and sign-ins by it that were begun."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import asyncpg

from schemas.user import hash_of_token
from store.postgres import changing, passing_errors
from store.sql import queries
from store.users import User, UserChange


@dataclass(frozen=True, slots=True)
class Attempt:
    """A sign-in that was begun: what the provider has to repeat, and what proves that we began it."""

    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    next_page: str
    session_id: str | None


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody as a provider names them: a subject is never given to another."""

    issuer: str
    subject: str = field(repr=False)


class Identities:
    """Raises TryLater while Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql = queries("identities")

    async def begin(self, state: str, browser: str, attempt: Attempt, lasts: timedelta) -> None:
        """Keep a sign-in that begins, by the digests of its state and of its browser's cookie."""
        row = attempt.nonce, attempt.verifier, attempt.next_page, attempt.session_id, lasts
        async with changing(self._pool) as connection:
            await connection.execute(self._sql["begin_attempt"], hash_of_token(state), hash_of_token(browser), *row)

    async def take(self, state: str, browser: str) -> Attempt | None:
        """Use one up; None for one that was used, is over, or is another browser's."""
        async with changing(self._pool) as connection:
            row = await connection.fetchrow(self._sql["take_attempt"], hash_of_token(state), hash_of_token(browser))
        return None if row is None else Attempt(**row)

    async def is_linked(self, user_id: str, issuer: str) -> bool:
        """True where a user is known to an issuer."""
        async with passing_errors(self._pool):
            return bool(await self._pool.fetchval(self._sql["is_linked"], user_id, issuer))


async def find(change: UserChange, one: Identity) -> User | None:
    """The user whom a provider names, within a change of users."""
    row = await change.connection.fetchrow(queries("identities")["find_identity"], one.issuer, one.subject)
    return None if row is None else User(**row)


async def link(change: UserChange, one: Identity, user_id: str) -> bool:
    """Have a provider's name be a user; False where it is another's, or the user has another one there."""
    row = one.issuer, one.subject, user_id
    return await change.connection.fetchval(queries("identities")["link"], *row) is not None


async def unlink(change: UserChange, user_id: str, issuer: str) -> bool:
    """Have a provider's name be nobody any more; False where nothing was linked."""
    return await change.connection.fetchval(queries("identities")["unlink"], user_id, issuer) is not None
