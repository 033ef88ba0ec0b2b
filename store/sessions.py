"""Sessions of people who have signed in: known by a digest, ended by time, by their owner, or by an operator."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from schemas.audit import AuditAction, AuditEntry
from schemas.user import hash_of_token
from store import audit
from store.postgres import changing, passing_errors, storable
from store.sql import queries
from store.users import User


@dataclass(frozen=True, slots=True)
class Session:
    """A session as its owner sees it."""

    session_id: str
    user_id: str
    began_at: datetime
    used_at: datetime
    ends_at: datetime
    network: str
    agent: str


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session that was proved, and whose it is."""

    session: Session
    email: str = field(repr=False)
    display_name: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Comer:
    """Whoever asks: the network that they come from, and what their browser says of itself."""

    network: str
    agent: str


@dataclass(frozen=True, slots=True)
class Signed:
    """A signature of a passkey that was proved: how many it has made, as its device counts."""

    passkey_id: str
    credential_id: bytes = field(repr=False)
    sign_count: int


@dataclass(frozen=True, slots=True)
class ProviderLogout:
    """Sessions that an OpenID provider says are over: of a subject, of one that it names itself (`sid`), or of both.

    The token that says so is used once, by its own id, and proves nothing from `ends_at` on.
    """

    issuer: str
    subject: str | None = field(repr=False)
    sid: str | None = field(repr=False)
    token_id: str = field(repr=False)
    ends_at: datetime


class Sessions:
    """Raises TryLater while Postgres is away. A session ends `idle` after its last use, and after `longest`."""

    def __init__(self, pool: asyncpg.Pool, *, idle: timedelta, longest: timedelta) -> None:
        self._pool, self._idle, self._longest = pool, idle, longest
        self._sql = queries("sessions")

    async def begin(self, token: str, session_id: str, user: User, comer: Comer) -> bool:
        """Begin one for somebody who has proved a password; False where it is not theirs by now, or they may not."""
        row = session_id, user.user_id, user.password_hash, self._longest, comer.network, storable(comer.agent)
        async with changing(self._pool) as connection:
            begun = await connection.fetchval(self._sql["begin"], hash_of_token(token), *row)
            if begun is not None:
                await self._note_begin(connection, user.user_id, comer, {"session": session_id})
        return begun is not None

    async def begin_by_identity(
        self, token: str, session_id: str, user_id: str, comer: Comer, *, issuer: str, subject: str, hint: str = "",
        sid: str | None = None,
    ) -> bool:  # fmt: skip
        """Begin one for somebody whom an issuer names; False where they are not linked by now, or may not. The `hint`
        proves to it whose session ends, `sid` is the name that it has for its own.
        """
        row = session_id, user_id, self._longest, comer.network, storable(comer.agent), issuer, subject, hint, sid
        async with changing(self._pool) as connection:
            begun = await connection.fetchval(self._sql["begin_by_identity"], hash_of_token(token), *row)
            if begun is not None:
                await self._note_begin(connection, user_id, comer, {"session": session_id, "issuer": issuer})
        return begun is not None

    async def begin_by_passkey(
        self, token: str, session_id: str, user_id: str, comer: Comer, signed: Signed, *, without_roles_of: str
    ) -> bool:
        """Begin one for somebody whose passkey has signed, and note its count; False where it is gone by now, has
        signed more often already, or they may not.
        """
        row = session_id, user_id, self._longest, comer.network, storable(comer.agent), signed.passkey_id
        use = signed.credential_id, user_id, signed.sign_count
        async with changing(self._pool) as connection:
            if await connection.fetchval(queries("passkeys")["note_passkey_use"], *use) is None:
                return False
            begun = await connection.fetchval(
                self._sql["begin_by_passkey"], hash_of_token(token), *row, without_roles_of
            )
            if begun is not None:
                said = {"session": session_id, "passkey": signed.passkey_id}
                await self._note_begin(connection, user_id, comer, said)
        return begun is not None

    async def _note_begin(self, connection: Any, user_id: str, comer: Comer, said: Mapping[str, object]) -> None:
        await connection.execute(self._sql["note_sign_in"], user_id)
        await connection.execute(self._sql["note_network"], user_id, comer.network)
        await _note(connection, user_id, "user.signed_in", said, by=f"user:{user_id}")

    async def check(self, token: str, *, is_use: bool = True) -> SignedIn | None:
        """The session of a token, if it is not over; its use is noted, at most once a minute.

        A page that asks by itself is not a use: a session ends though such a page is open.
        """
        async with passing_errors(self._pool):
            row = await self._pool.fetchrow(self._sql["check_session"], hash_of_token(token), self._idle)
            if row is None:
                return None
            values = dict(row)
            if values.pop("is_use_old") and is_use:
                await self._pool.execute(self._sql["note_use"], row["session_id"])
        email, display_name = values.pop("email"), values.pop("display_name")
        return SignedIn(Session(**values), email, display_name)

    async def provider_hint(self, session_id: str) -> str | None:
        """The proof to an OpenID provider of whose session it is, if it was kept; None of one that began otherwise."""
        async with passing_errors(self._pool):
            hint: str | None = await self._pool.fetchval(self._sql["provider_hint"], session_id)
        return hint

    async def of_user(self, user_id: str) -> list[Session]:
        """Those of a user that are not over, the newest first."""
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(self._sql["sessions_of_user"], user_id, self._idle)
        return [Session(**row) for row in rows]

    async def end(self, user_id: str, session_id: str, *, by: str, dry_run: bool = False) -> int:
        """End one of a user's; how many."""
        return await self._end("end_session", user_id, storable(session_id), by, dry_run=dry_run)

    async def end_all(self, user_id: str, *, but: str | None = None, by: str, dry_run: bool = False) -> int:
        """End all of a user's, but for one where it is named; how many."""
        return await self._end("end_sessions", user_id, but, by, dry_run=dry_run)

    async def end_by_provider(self, logout: ProviderLogout, *, by: str) -> int | None:
        """End those that a provider says are over; how many, or None where its token was used already."""
        named = f"{logout.issuer} {logout.token_id}"
        token_hash = hashlib.sha256(named.encode(errors="backslashreplace")).digest()
        row = logout.issuer, logout.subject, logout.sid
        async with changing(self._pool) as connection:
            if await connection.fetchval(self._sql["use_logout_token"], token_hash, logout.ends_at) is None:
                return None
            ended = Counter(one["user_id"] for one in await connection.fetch(self._sql["end_by_provider"], *row))
            for user_id, count in sorted(ended.items()):
                said = {"ended": count, "issuer": logout.issuer}
                await _note(connection, user_id, "user.sessions_ended", said, by=by)
        return ended.total()

    async def _end(self, statement: str, user_id: str, session_id: str | None, by: str, *, dry_run: bool) -> int:
        async with changing(self._pool, dry_run=dry_run) as connection:
            ended = await connection.fetch(self._sql[statement], user_id, session_id)
            if ended:
                await _note(connection, user_id, "user.sessions_ended", {"ended": len(ended)}, by=by)
        return len(ended)


async def _note(connection: Any, user_id: str, action: AuditAction, said: Mapping[str, object], *, by: str) -> None:
    """Have the audit logs of all projects that a user is in say it."""
    roles = await connection.fetch(queries("users")["roles_of_user"], user_id)
    await audit.write(connection, *(AuditEntry(one["project_id"], by, action, user_id, None, said) for one in roles))
