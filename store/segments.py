"""Segments in Postgres: definitions, profiles, who is in which, and how far everything is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import asyncpg
import msgspec

from schemas.audit import AuditAction, AuditEntry, differences
from schemas.errors import TidingsError, TryLater
from schemas.formats.search_keys import SearchKeys, search_keys
from schemas.managed import ManagedThing
from schemas.record_key import Keyed
from schemas.segment import SegmentDefinition
from schemas.suppression import customer_keys
from store import audit
from store.behaviours import BehaviourRows
from store.clock import DatabaseClock, database_now
from store.erasure import suppressed
from store.managed import Keep, kept
from store.memberships import MembershipChanges
from store.postgres import changing, passing_errors
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
class State:
    """The version of a segment, and how far over the customers, by id, it is computed."""

    segment_id: str
    serial: int
    version: int
    created_at: datetime
    applied_at: datetime
    computed_version: int
    computed_to: str


@dataclass(frozen=True, slots=True)
class Profile:
    """A customer: the topic's partition, when its profile first came (Unix ms), that profile as JSON, and its keys."""

    customer_id: str
    partition: int
    epoch: int
    row: bytes
    due_at: datetime | None = None
    keys: SearchKeys | None = None


@dataclass(frozen=True, slots=True)
class MembershipRow:
    """One customer's standing in one segment."""

    customer_id: str
    segment_id: str
    is_member: bool
    number: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Overdue:
    """The number of customers whose time has come, and how long the first of them has been waiting."""

    customers: int
    waits: timedelta = timedelta()


class EventRow(NamedTuple):
    """An event that Kafka has to get: the partition it goes to, its key, and the record's value."""

    partition: int
    key: str
    event: bytes


class Segments:
    """Raises TryLater while Postgres is away. `clock` says what time it is: the database's own."""

    def __init__(self, pool: asyncpg.Pool, *, clock: DatabaseClock = database_now) -> None:
        self._pool = pool
        self._sql = queries("segments")
        self._clock = clock
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
                _definition(row["definition"]),
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

    async def sources(self, project_id: str) -> dict[str, tuple[SegmentDefinition, str]]:
        """By id, each segment that somebody wrote, and its source; those that sends made have none."""
        rows = await self._fetch("sources", project_id)
        return {row["segment_id"]: (_definition(row["definition"]), row["source"]) for row in rows}

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
                entries.append(_entry(None if before is None else _definition(before), one, applied_by))
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
                columns = [(row["partitions"], row["keys"], row["events"]) for row in rows]
                events = [EventRow(*one) for three in columns for one in zip(*three, strict=True)]
                if events:
                    await publish(events)
                    await connection.execute(self._sql["forget_outbox"], [row["id"] for row in rows])
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
                yield SegmentTransaction(connection, self._sql, self._clock)
        except asyncpg.ForeignKeyViolationError as error:  # done again, it no longer sees the segment
            raise TryLater("a segment was deleted meanwhile") from error


class SegmentTransaction:
    """A transaction. What it locks stays with it until its end."""

    def __init__(self, connection: Any, sql: dict[str, str], clock: DatabaseClock) -> None:
        self._connection, self._sql, self._clock = connection, sql, clock
        self.behaviours = BehaviourRows(connection)

    async def now(self) -> datetime:
        """The database's time, for all that this work judges."""
        return await self._clock(self._connection)

    async def position(self, topic: str, partition: int) -> tuple[int, int]:
        """The next offset that is not in yet, and the latest stamp that is (Unix ms); locked."""
        row = await self._connection.fetchrow(self._sql["lock_position"], topic, partition)
        if row is None:
            await self._connection.execute(self._sql["add_position"], topic, partition)
            row = await self._connection.fetchrow(self._sql["lock_position"], topic, partition)
        return row["next_offset"], row["stamp"]

    async def move(self, topic: str, partition: int, next_offset: int, stamp: int) -> None:
        """Everything before `next_offset` is in."""
        await self._connection.execute(self._sql["move_position"], topic, partition, next_offset, stamp)

    async def customers(self, project_id: str, ids: Iterable[str]) -> dict[str, Profile]:
        """Those of some customers that are known; locked."""
        return _profiles(await self._connection.fetch(self._sql["lock_customers"], project_id, list(ids)))

    async def admit(self, project_id: str, ids: Iterable[str], partition: int) -> dict[str, Profile]:
        """Those of some customers that are known; all are locked, also those that are not: no two add the same one.

        What is added has no profile: whoever admits it puts one, or erases it.
        """
        wanted = set(ids)
        known = await self.customers(project_id, wanted)
        if new := sorted(wanted - known.keys()):
            rows = await self._connection.fetch(self._sql["add_customers"], project_id, new, partition)
            if others := set(new) - {row["customer_id"] for row in rows}:
                known |= await self.customers(project_id, others)
        return known

    async def due(self, now: datetime, limit: int) -> dict[str, dict[str, Profile]]:
        """Customers whose time has come and that nobody works on, by project; locked."""
        of_projects: dict[str, list[asyncpg.Record]] = {}
        for row in await self._connection.fetch(self._sql["lock_due"], now, limit):
            of_projects.setdefault(row["project_id"], []).append(row)
        return {project: _profiles(rows) for project, rows in of_projects.items()}

    async def following(self, project_id: str, customer_id: str, limit: int) -> dict[str, Profile]:
        """The customers of a project after one, by id; locked."""
        return _profiles(await self._connection.fetch(self._sql["lock_next"], project_id, customer_id, limit))

    async def states(self, project_id: str) -> dict[str, State]:
        """All segments of a project."""
        rows = await self._connection.fetch(self._sql["states"], project_id)
        return {row["segment_id"]: State(**row) for row in rows}

    async def definitions(self, project_id: str, ids: Sequence[str]) -> list[SegmentDefinition]:
        """Some segments as they are defined."""
        rows = await self._connection.fetch(self._sql["definitions"], project_id, ids)
        return [_definition(row["definition"]) for row in rows]

    async def computation(self, besides: Sequence[Keyed] = ()) -> Keyed | None:
        """A segment of any project that has to be computed and that nobody else computes now; locked."""
        columns = [one.project_id for one in besides], [one.id for one in besides]
        row = await self._connection.fetchrow(self._sql["lock_computation"], *columns)
        return None if row is None else Keyed(row["project_id"], row["segment_id"])

    async def advance(self, segment: Keyed, customer_id: str, count: int) -> None:
        """The computation is done up to a customer."""
        await self._connection.execute(self._sql["advance"], *segment, customer_id, count)

    async def finish(self, segment: Keyed) -> None:
        """The computation is done."""
        await self._connection.execute(self._sql["finish"], *segment)

    async def memberships(self, project_id: str, ids: Iterable[str]) -> list[asyncpg.Record]:
        """customer_id, segment_id, is_member, number."""
        rows: list[asyncpg.Record] = await self._connection.fetch(self._sql["memberships"], project_id, list(ids))
        return rows

    async def put_memberships(self, project_id: str, rows: Sequence[MembershipRow]) -> None:
        """Each (customer, segment) at most once."""
        columns = [[getattr(row, name) for row in rows] for name in MembershipRow.__slots__]
        if rows:
            await self._connection.execute(self._sql["put_memberships"], project_id, *columns)

    async def put_unjudged(self, project_id: str, ids: Sequence[str], rows: Sequence[tuple[str, str, str]]) -> None:
        """Put what cannot be judged of some customers: (customer, segment, reason), in place of what stood there."""
        if ids:
            await self._connection.execute(self._sql["clear_unjudged"], project_id, ids)
        if rows:
            await self._connection.execute(self._sql["add_unjudged"], project_id, *map(list, zip(*rows, strict=True)))

    async def put_customers(self, project_id: str, profiles: Sequence[Profile]) -> None:
        """Each customer at most once."""
        if profiles:
            await self._connection.execute(
                self._sql["put_customers"],
                project_id,
                [one.customer_id for one in profiles],
                [one.partition for one in profiles],
                [one.epoch for one in profiles],
                [one.row for one in profiles],
                [one.due_at for one in profiles],
                *map(list, zip(*map(_keys, profiles), strict=True)),
            )

    async def put_due(self, project_id: str, due: Sequence[tuple[str, datetime | None]]) -> None:
        """Put the times at which to look again at customers."""
        if due:
            ids, moments = [one[0] for one in due], [one[1] for one in due]
            await self._connection.execute(self._sql["put_due"], project_id, ids, moments)

    async def put_events(self, events: Sequence[EventRow]) -> None:
        """Put events that Kafka has to get once this work is kept, in order."""
        if events:
            await self._connection.execute(self._sql["add_to_outbox"], *map(list, zip(*events, strict=True)))

    async def erase(self, project_id: str, ids: Sequence[str]) -> None:
        """Forget customers; of suppressions of their addresses the hashes stay."""
        if ids:
            rows = await self._connection.fetch(self._sql["profiles_of"], project_id, ids)
            keys = {(project_id, key) for row in rows for key in customer_keys(msgspec.json.decode(row["profile"]))}
            await self._connection.execute(queries("erasure")["forget_suppressed"], *suppressed(keys))
            for name in ("clear_unjudged", "erase_memberships", "erase_customers"):
                await self._connection.execute(self._sql[name], project_id, ids)


def _profiles(rows: Sequence[asyncpg.Record]) -> dict[str, Profile]:
    return {
        row["customer_id"]: Profile(row["customer_id"], row["partition"], row["epoch"], row["profile"], row["due_at"])
        for row in rows
    }


def _keys(one: Profile) -> SearchKeys:
    return one.keys or search_keys(msgspec.json.decode(one.row))


def _definition(text: str) -> SegmentDefinition:
    return msgspec.json.decode(text, type=SegmentDefinition)


def _entry(before: SegmentDefinition | None, after: SegmentDefinition, actor: str) -> AuditEntry:
    action: AuditAction = "segment.created" if before is None else "segment.changed"
    return AuditEntry(after.project_id, actor, action, after.id, after.version, differences(before, after))
