"""The end of distributions in Postgres: what they still have to send, and those that never sent deleted for a while."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import asyncpg
import msgspec

from schemas.audit import AuditEntry
from schemas.distribution import Distribution
from schemas.managed import ManagedThing
from schemas.record_key import SEPARATOR
from schemas.topics import DISTRIBUTIONS
from store import audit
from store.distributions import VersionConflict
from store.managed import Keep, kept
from store.postgres import changing, passing_errors
from store.sql import queries


@dataclass(frozen=True, slots=True)
class Waiting:
    """Whatever of a distribution is still to go out; `send_id` is one of its sends that is not over."""

    holds: int
    deliveries: int
    send_id: str | None


class DistributionEnds:
    """Raises TryLater while Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql, self._control = queries("distribution_ends"), queries("control")

    async def waiting(self, project_id: str, distribution_id: str) -> Waiting:
        """Whatever of it is still to go out."""
        async with passing_errors(self._pool):
            row = await self._pool.fetchrow(self._sql["waiting"], project_id, distribution_id)
        return Waiting(**row)

    async def before_archive(self, project_id: str, distribution_id: str) -> Distribution | None:
        """Its newest version that is not archived."""
        async with passing_errors(self._pool):
            text = await self._pool.fetchval(self._sql["before_archive"], project_id, distribution_id)
        return None if text is None else _read(text)

    async def has_done(self, project_id: str, distribution_id: str) -> bool:
        """True where it was ever more than a draft, or anything is known of what it did."""
        async with passing_errors(self._pool):
            return bool(await self._pool.fetchval(self._sql["has_done"], project_id, distribution_id))

    async def deleted(self, project_id: str, distribution_id: str) -> tuple[Distribution, datetime] | None:
        """One that was deleted, in its newest version, and when; None once it cannot be brought back."""
        async with passing_errors(self._pool):
            row = await self._pool.fetchrow(self._sql["deleted"], project_id, distribution_id)
        return None if row is None else (_read(row["definition"]), row["deleted_at"])

    async def delete(self, before: Distribution, *, by: str, now: datetime, keep: Keep | None = None) -> None:
        """Delete one that somebody has looked at, with all versions; workers forget it.

        Raises VersionConflict, and what `keep` raises.
        """
        of = before.project_id, before.id
        async with changing(self._pool) as connection:
            entries = await kept(keep, connection, [ManagedThing(before.project_id, "distribution", before.id)], by)
            held = [row["version"] for row in await connection.fetch(self._sql["hold"], *of)]
            is_same = held[-1:] == [before.version]
            if not is_same or await connection.fetchval(self._sql["keep_deleted"], *of, by, len(held)) is None:
                raise VersionConflict(f"{before.id} was changed in between; look at it again")
            await connection.execute(self._sql["delete_versions"], *of)
            key = f"{before.project_id}{SEPARATOR}{before.id}"
            await connection.execute(self._control["add_to_outbox"], DISTRIBUTIONS, key, None, now)
            entries.append(AuditEntry(before.project_id, by, "distribution.deleted", before.id, before.version))
            await audit.write(connection, *entries)

    async def put_back(self, project_id: str, distribution_id: str, *, by: str, now: datetime) -> Distribution | None:
        """Bring back one that was deleted, as it was; None where it cannot be. Raises VersionConflict."""
        async with changing(self._pool) as connection:
            row = await connection.fetchrow(self._sql["take_deleted"], project_id, distribution_id)
            if row is None:
                return None
            try:
                await connection.execute(self._sql["put_back"], row["versions"])
            except asyncpg.UniqueViolationError as error:
                raise VersionConflict(f"there is another {distribution_id} by now") from error
            await connection.execute(
                self._control["add_to_outbox"], DISTRIBUTIONS, distribution_id, row["definition"], now
            )
            after = _read(row["definition"])
            entry = AuditEntry(project_id, by, "distribution.restored", after.id, after.version)
            await audit.write(connection, entry)
        return after


def _read(text: str) -> Distribution:
    return msgspec.json.decode(text, type=Distribution)
