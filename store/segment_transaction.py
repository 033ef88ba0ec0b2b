"""One piece of work on segments in Postgres: customers locked, what is known of them, and what becomes of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import asyncpg
import msgspec

from schemas.formats.search_keys import SearchKeys, search_keys
from schemas.record_key import Keyed
from schemas.segment import SegmentDefinition
from schemas.suppression import customer_keys
from store.behaviours import BehaviourRows
from store.clock import DatabaseClock, database_now
from store.erasure import suppressed
from store.sql import joined, listed, moments, queries, together


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


class Profile(msgspec.Struct, frozen=True, gc=False):
    """A customer: the topic's partition, when its profile first came (Unix ms), that profile as JSON, and its keys."""

    customer_id: str
    partition: int
    epoch: int
    row: bytes
    due_at: datetime | None = None
    keys: SearchKeys | None = None


class MembershipRow(NamedTuple):
    """One customer's standing in one segment."""

    customer_id: str
    segment_id: str
    is_member: bool
    number: int
    since: datetime


class EventRow(NamedTuple):
    """An event that Kafka has to get: the partition it goes to, its key, and the record's value."""

    partition: int
    key: str
    event: bytes

    @staticmethod
    def of_outbox(row: Mapping[str, Any]) -> list[EventRow]:
        """The events of one transaction; those of earlier releases stand in three columns."""
        if row["packed"] is None:
            return [EventRow(*one) for one in zip(row["partitions"], row["keys"], row["events"], strict=True)]
        return msgspec.msgpack.decode(row["packed"], type=list[EventRow])


_OF_STATE = slice(0, 7)
"""The columns of a look that are a segment's."""


class KnownStates(NamedTuple):
    """The states of a project's segments, and the rows that they were made of: mostly, the next rows are the same."""

    rows: list[tuple[Any, ...]]
    states: dict[str, State]


class Look(NamedTuple):
    """The moment at which was looked, the segments of a project then, and memberships of some of its customers.

    These are rows with customer_id, segment_id, is_member and number.
    """

    now: datetime
    states: dict[str, State]
    memberships: list[asyncpg.Record]


class SegmentTransaction:
    """A transaction. What it locks stays with it until its end.

    What is put waits until then, and is written by one statement: each trip to the server and back is a pause of the
    work on these customers. Whatever is put in one transaction has rows of its own.
    """

    def __init__(self, connection: Any, clock: DatabaseClock, known: dict[str, KnownStates]) -> None:
        self._connection, self._sql, self._clock = connection, queries("segments"), clock
        self._known = known
        self._puts: list[tuple[str, tuple[Any, ...]]] = []
        self.behaviours = BehaviourRows(connection, self._put)

    def _put(self, sql: str, *arguments: Any) -> None:
        self._puts.append((sql, arguments))

    async def write(self) -> None:
        """Write what was put; that of several projects one after the other, so that statements are mostly the same."""
        if self._puts:
            sql, arguments = together(self._puts)
            self._puts = []
            await self._connection.execute(sql, *arguments)

    async def now(self) -> datetime:
        """The database's time, for all that this work judges."""
        return await self._clock(self._connection)

    async def position(
        self, topic: str, partition: int, project_id: str, ids: Iterable[str]
    ) -> tuple[int, int, dict[str, Profile]]:
        """The next offset that is not in yet, the latest stamp that is (Unix ms), and the known of some customers.

        All of it is locked, the position first.
        """
        asked = topic, partition, project_id, joined(ids)
        rows = await self._connection.fetch(self._sql["lock_position"], *asked)
        if not rows:
            await self._connection.execute(self._sql["add_position"], topic, partition)
            rows = await self._connection.fetch(self._sql["lock_position"], *asked)
        known = _profiles([row for row in rows if row["customer_id"] is not None])
        return rows[0]["next_offset"], rows[0]["stamp"], known

    async def move(self, topic: str, partition: int, next_offset: int, stamp: int) -> None:
        """Everything before `next_offset` is in."""
        self._put(self._sql["move_position"], topic, partition, next_offset, stamp)

    async def customers(self, project_id: str, ids: Iterable[str]) -> dict[str, Profile]:
        """Those of some customers that are known; locked."""
        return _profiles(await self._connection.fetch(self._sql["lock_customers"], project_id, joined(ids)))

    async def admit(
        self, project_id: str, ids: Iterable[str], partition: int, known: dict[str, Profile] | None = None
    ) -> dict[str, Profile]:
        """Those of some customers that are known; all are locked, also those that are not: no two add the same one.

        What is added has no profile: whoever admits it puts one, or erases it. `known`: those that are locked already.
        """
        wanted = set(ids)
        if known is None:
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

    async def look(self, project_id: str, ids: Iterable[str] = ()) -> Look:
        """All segments of a project, and what is known of some customers. Asked after these are locked."""
        first, *rows = await self._connection.fetch(self._sql["look"], project_id, joined(ids))
        now = first["created_at"] if self._clock is database_now else await self.now()
        of_segments = [row[_OF_STATE] for row in rows if row["customer_id"] is None]
        return Look(now, self._states(project_id, of_segments), rows[len(of_segments) :])

    def _states(self, project_id: str, rows: list[tuple[Any, ...]]) -> dict[str, State]:
        known = self._known.get(project_id)
        if known is None or known.rows != rows:
            self._known[project_id] = known = KnownStates(rows, {row[0]: State(*row) for row in rows})
        return known.states

    async def states(self, project_id: str) -> dict[str, State]:
        """All segments of a project."""
        return (await self.look(project_id)).states

    async def definitions(self, project_id: str, ids: Sequence[str]) -> list[SegmentDefinition]:
        """Some segments as they are defined."""
        rows = await self._connection.fetch(self._sql["definitions"], project_id, ids)
        return [read_definition(row["definition"]) for row in rows]

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

    async def put_memberships(self, project_id: str, rows: Sequence[MembershipRow]) -> None:
        """Each (customer, segment) at most once."""
        if rows:
            customers, segments, are_members, numbers, since = zip(*rows, strict=True)
            whose = joined(customers), joined(segments)
            self._put(
                self._sql["put_memberships"], project_id, *whose, listed(are_members), listed(numbers), moments(since)
            )

    async def put_unjudged(self, project_id: str, ids: Sequence[str], rows: Sequence[tuple[str, str, str]]) -> None:
        """Put what cannot be judged of some customers: (customer, segment, reason), in place of what stood there."""
        if ids:
            columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], []]
            self._put(self._sql["clear_unjudged"], project_id, joined(ids), *columns[:2])
            if rows:
                self._put(self._sql["put_unjudged"], project_id, *columns)

    async def put_customers(self, project_id: str, profiles: Sequence[Profile]) -> None:
        """Each customer at most once."""
        if profiles:
            source_ids, *keys = zip(*map(_keys, profiles), strict=True)
            self._put(
                self._sql["put_customers"],
                project_id,
                joined([one.customer_id for one in profiles]),
                listed([one.partition for one in profiles]),
                listed([one.epoch for one in profiles]),
                [one.row for one in profiles],
                moments([one.due_at for one in profiles]),
                list(source_ids),
                *(joined(map(_or_empty, column)) for column in keys),
            )

    async def put_due(self, project_id: str, due: Sequence[tuple[str, datetime | None]]) -> None:
        """Put the times at which to look again at customers."""
        if due:
            ids, moments = [one[0] for one in due], [one[1] for one in due]
            self._put(self._sql["put_due"], project_id, ids, moments)

    async def put_events(self, events: Sequence[EventRow]) -> None:
        """Put events that Kafka has to get once this work is kept, in order."""
        if events:
            self._put(self._sql["add_to_outbox"], msgspec.msgpack.encode(events))

    async def erase(self, project_id: str, ids: Sequence[str]) -> None:
        """Forget customers; of suppressions of their addresses the hashes stay."""
        if ids:
            rows = await self._connection.fetch(self._sql["profiles_of"], project_id, ids)
            keys = {(project_id, key) for row in rows for key in customer_keys(msgspec.json.decode(row["profile"]))}
            await self._connection.execute(queries("erasure")["forget_suppressed"], *suppressed(keys))
            for name in ("erase_unjudged", "erase_memberships", "erase_customers"):
                await self._connection.execute(self._sql[name], project_id, ids)


def _profiles(rows: Sequence[asyncpg.Record]) -> dict[str, Profile]:
    return {
        row["customer_id"]: Profile(row["customer_id"], row["partition"], row["epoch"], row["profile"], row["due_at"])
        for row in rows
    }


def _or_empty(key: str | None) -> str:
    """As it is joined: no key is empty, and of the blanks in one U+001F would be."""
    return key or ""


def _keys(one: Profile) -> SearchKeys:
    return one.keys or search_keys(msgspec.json.decode(one.row))


def read_definition(text: str) -> SegmentDefinition:
    """A segment as it is kept."""
    return msgspec.json.decode(text, type=SegmentDefinition)
