"""Segments in Postgres: definitions, profiles, who is in which, and how far everything is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import msgspec

from schemas.audit import AuditAction, AuditEntry, differences
from schemas.errors import TidingsError, TryLater
from schemas.managed import ManagedThing
from schemas.record_key import Keyed
from schemas.segment import SegmentDefinition
from store import audit
from store.clock import DatabaseClock, database_now
from store.managed import Keep, kept
from store.memberships import MembershipChanges
from store.postgres import changing, passing_errors
from store.segment_transaction import EventRow, KnownStates, SegmentTransaction, read_definition
from store.sql import queries

_OUTBOX_BATCH = 4
"""Transactions whose events go out at once."""


class SegmentConflict(TidingsError):
    """Somebody else applied the same segment in between; look at the plan again."""


@dataclass(frozen=True, slots=True)
class SegmentSummary:
    """A segment as operators see it: `computed` of all customers are compared with its version."""

    definition: SegmentDefinition
    applied_at: datetime
    members: int
    unjudged: int
    computed: int
    is_computed: bool


@dataclass(frozen=True, slots=True)
class Overdue:
    """The number of customers whose time has come, and how long the first of them has been waiting."""

    customers: int
    waits: timedelta = timedelta()


class Segments:
    """Raises TryLater while Postgres is away. `clock` says what time it is: the database's own."""

    def __init__(self, pool: asyncpg.Pool, *, clock: DatabaseClock = database_now) -> None:
        self._pool = pool
        self._sql = queries("segments")
        self._clock = clock
        self._states: dict[str, KnownStates] = {}
        self.changes = MembershipChanges(pool)

    async def now(self) -> datetime:
        """The time that counts for definitions and for whoever is due."""
        async with passing_errors(self._pool):
            return await self._clock(self._pool)

    async def current(self, project_id: str, after: str = "", limit: int | None = None) -> list[SegmentSummary]:
        """Every segment of a project behind an id, by id; `limit` at most, where it is given."""
        rows = await self._fetch("current", project_id, after, limit)
        return [
            SegmentSummary(
                read_definition(row["definition"]),
                row["applied_at"],
                row["members"],
                row["unjudged"],
                row["computed"],
                row["computed_version"] == row["version"],
            )
            for row in rows
        ]

    async def ids(self, project_id: str) -> list[str]:
        """The ids of a project's segments, in order."""
        return [row["segment_id"] for row in await self._fetch("ids", project_id)]

    async def version(self, project_id: str, segment_id: str) -> int:
        """The version of a segment; 0 where it is not there."""
        return next((int(row["version"]) for row in await self._fetch("version", project_id, segment_id)), 0)

    async def customers(self, project_id: str) -> int:
        """The number of profiles of a project."""
        async with passing_errors(self._pool):
            return int(await self._pool.fetchval(self._sql["count_customers"], project_id))

    async def sources(self, project_id: str, identity: str | None = None) -> dict[str, tuple[SegmentDefinition, str]]:
        """By id, each segment that somebody wrote, or one alone, and its source; those that sends made have none."""
        rows = await self._fetch("sources", project_id, identity)
        return {row["segment_id"]: (read_definition(row["definition"]), row["source"]) for row in rows}

    async def save(
        self,
        changes: Sequence[tuple[SegmentDefinition, str]],
        *,
        applied_by: str,
        now: datetime,
        keep: Keep | None = None,
    ) -> None:
        """Keep definitions, each with its source, all or nothing. Raises SegmentConflict, and what `keep` raises."""
        async with passing_errors(self._pool), self._pool.acquire() as connection, connection.transaction():
            things = [ManagedThing(one.project_id, "segment", one.id) for one, _ in changes]
            entries = await kept(keep, connection, things, applied_by)
            for one, source in changes:
                before = await connection.fetchval(self._sql["definition"], one.project_id, one.id)
                text = msgspec.json.encode(one).decode()
                row = (one.id, one.project_id, one.version, text, source, applied_by, now)
                if not await connection.fetchval(self._sql["apply"], *row):
                    raise SegmentConflict(f"segment {one.id} v{one.version} exists already; plan again and apply")
                entries.append(_entry(None if before is None else read_definition(before), one, applied_by))
            await audit.write(connection, *entries)

    async def remove(self, project_id: str, segment_id: str, *, by: str, keep: Keep | None = None) -> bool:
        """Forget a segment and who is in it; whether there was one."""
        async with changing(self._pool) as connection:
            entries = await kept(keep, connection, [ManagedThing(project_id, "segment", segment_id)], by)
            version = await connection.fetchval(self._sql["remove"], project_id, segment_id)
            if version is not None:
                entries.append(AuditEntry(project_id, by, "segment.removed", segment_id, version))
                await audit.write(connection, *entries)
        return version is not None

    async def members(self, project_id: str, segment_id: str, limit: int, after: str = "") -> list[asyncpg.Record]:
        """customer_id, since; by id, behind one of them."""
        return await self._fetch("members", project_id, segment_id, limit, after)

    async def spread_members(self, project_id: str, segment_id: str, limit: int) -> dict[str, bytes | None]:
        """Some members, spread over all of them, each with the profile as JSON where there is one; by id."""
        rows = await self._fetch("spread_members", project_id, segment_id, limit)
        return {row["customer_id"]: row["profile"] for row in rows}

    async def spread_profiles(self, project_id: str, limit: int) -> dict[str, bytes]:
        """The profiles, as JSON, of some customers, spread over all of them; by id."""
        return {row["customer_id"]: row["profile"] for row in await self._fetch("spread_profiles", project_id, limit)}

    async def profiles(self, project_id: str, customers: Collection[str]) -> dict[str, bytes]:
        """The profiles, as JSON, of those of some customers who have one."""
        rows = await self._fetch("profiles_by_id", project_id, list(customers))
        return {row["customer_id"]: row["profile"] for row in rows}

    async def count(self, project_id: str, segment_id: str) -> int:
        """The number of members of a segment."""
        async with passing_errors(self._pool):
            return int(await self._pool.fetchval(self._sql["count"], project_id, segment_id))

    async def of_customer(self, project_id: str, customer_id: str) -> list[asyncpg.Record]:
        """segment_id, since; by id."""
        return await self._fetch("of_customer", project_id, customer_id)

    async def unjudged_of_customer(self, project_id: str, customer_id: str) -> list[asyncpg.Record]:
        """segment_id, reason: what cannot judge a customer; by id."""
        return await self._fetch("unjudged_of_customer", project_id, customer_id)

    async def unjudged_reasons(self, project_id: str, segment_id: str, limit: int) -> list[asyncpg.Record]:
        """customers, customer_id, reason: why a segment cannot judge some, with one of them as an example."""
        return await self._fetch("unjudged_reasons", project_id, segment_id, limit)

    async def count_unjudged(self, limit: int) -> dict[Keyed, int]:
        """By segment, of all projects, how many customers it cannot judge: those with most of them."""
        rows = await self._fetch("count_unjudged", limit)
        return {Keyed(row["project_id"], row["segment_id"]): row["customers"] for row in rows}

    async def overdue(self) -> Overdue:
        """Customers that should have been looked at again by now."""
        now = await self.now()
        async with passing_errors(self._pool):
            row = await self._pool.fetchrow(self._sql["overdue"], now)
        return Overdue(row["customers"], now - row["since"] if row["since"] else timedelta())

    async def publish_outbox(self, publish: Callable[[Sequence[EventRow]], Awaitable[None]]) -> int:
        """Pass events to `publish`, oldest first, and forget them after it returned; their number.

        Where `publish` raises, or the process dies, they stay and are published again, the same to the last byte.
        """
        published, taken = 0, _OUTBOX_BATCH
        while taken == _OUTBOX_BATCH:
            async with passing_errors(self._pool), self._pool.acquire() as connection, connection.transaction():
                rows = await connection.fetch(self._sql["take_outbox"], _OUTBOX_BATCH)
                events = [event for row in rows for event in EventRow.of_outbox(row)]
                if events:
                    await publish(events)
            published, taken = published + len(events), len(rows)
        return published

    async def _fetch(self, name: str, *arguments: Any) -> list[asyncpg.Record]:
        async with passing_errors(self._pool):
            rows: list[asyncpg.Record] = await self._pool.fetch(self._sql[name], *arguments)
            return rows

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[SegmentTransaction]:
        """One piece of work, kept as a whole or not at all."""
        try:
            async with passing_errors(self._pool), self._pool.acquire() as connection, connection.transaction():
                work = SegmentTransaction(connection, self._clock, self._states)
                yield work
                await work.write()
        except asyncpg.ForeignKeyViolationError as error:  # done again, it no longer sees the segment
            raise TryLater("a segment was deleted meanwhile") from error


def _entry(before: SegmentDefinition | None, after: SegmentDefinition, actor: str) -> AuditEntry:
    action: AuditAction = "segment.created" if before is None else "segment.changed"
    return AuditEntry(after.project_id, actor, action, after.id, after.version, differences(before, after))
