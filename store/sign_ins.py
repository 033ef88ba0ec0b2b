"""Attempts to sign in: who fails waits longer each time, and keeps no owner waiting where they signed in before."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import asyncpg

from schemas.audit import AuditEntry
from schemas.errors import TidingsError
from store import audit
from store.postgres import changing, passing_errors, storable
from store.sql import queries

AttemptKind = Literal["pair", "network", "account"]
"""An account at a network; a network, whichever accounts; an account, whichever networks."""


@dataclass(frozen=True, slots=True)
class Limit:
    """Failures that cost nothing, and the longest wait after those that are more."""

    free: int
    longest: timedelta


LIMITS: Mapping[AttemptKind, Limit] = {
    "pair": Limit(5, timedelta(minutes=15)),
    "network": Limit(30, timedelta(minutes=15)),
    "account": Limit(30, timedelta(minutes=1)),
}
"""The last one also meets owners who come from a new network while somebody guesses: so it stays short."""
_TOLD_EVERY = 10


class MustWait(TidingsError):
    """Too many attempts failed; the next one is looked at after so many seconds."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"too many attempts failed; try again in {seconds} s")
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that is looked at: the account as it was written, the network, and failures with this one."""

    email_key: str
    network: str
    failures: Mapping[AttemptKind, int]

    @property
    def is_told(self) -> bool:
        """True where its failure is worth a row of the audit log: the first that has others wait, and each tenth."""
        account = self.failures.get("account", 0)
        return self.failures["pair"] == LIMITS["pair"].free or (account > 0 and account % _TOLD_EVERY == 0)


class SignIns:
    """Raises TryLater while Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql = queries("sign_ins")

    async def begin(self, email_key: str, network: str) -> Attempt:
        """Count an attempt before it is looked at. Raises MustWait, and counts it not."""
        email_key, failures = storable(email_key), dict[AttemptKind, int]()
        async with changing(self._pool) as connection:
            is_known = await connection.fetchval(self._sql["is_known"], email_key, network)
            kinds: tuple[AttemptKind, ...] = ("pair",) if is_known else ("pair", "network", "account")
            for kind in kinds:  # in one order, so that two do not wait for each other
                asked = kind, _key(kind, email_key, network), LIMITS[kind].free, LIMITS[kind].longest
                counted = await connection.fetchval(self._sql["count_attempt"], *asked)
                if counted is None:
                    raise MustWait(max(1, await connection.fetchval(self._sql["seconds_left"], *asked) or 1))
                failures[kind] = counted
        if failures["pair"] == 1:
            async with passing_errors(self._pool):
                await self._pool.execute(self._sql["forget"])
        return Attempt(email_key, network, failures)

    async def forgive(self, attempt: Attempt) -> None:
        """Take back an attempt that was right."""
        async with changing(self._pool) as connection:
            for kind in attempt.failures:
                statement = self._sql["forgive" if kind == "pair" else "uncount"]
                await connection.execute(statement, kind, _key(kind, attempt.email_key, attempt.network))

    async def tell(self, user_id: str, attempt: Attempt, **more: str) -> None:
        """Have the audit logs of a user's projects say that attempts fail; nobody's are looked for as well."""
        async with passing_errors(self._pool):
            roles = await self._pool.fetch(queries("users")["roles_of_user"], user_id)
        said: dict[str, object] = {"failures": dict(attempt.failures), **more}
        async with changing(self._pool) as connection:
            entries = (
                AuditEntry(row["project_id"], "nobody", "user.sign_in_refused", user_id, None, said) for row in roles
            )
            await audit.write(connection, *entries)


def _key(kind: AttemptKind, email_key: str, network: str) -> bytes:
    named = {"pair": f"{network} {email_key}", "network": network, "account": email_key}[kind]
    return hashlib.sha256(named.encode(errors="replace")).digest()
