"""Behaviour of customers that segments count, in Postgres: how far their events are in, and what is known."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import asyncpg

from schemas.record_key import Keyed
from store.postgres import passing_errors
from store.sql import queries


class Place(NamedTuple):
    """A partition of a topic, which is named without prefix."""

    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class Progress:
    """A behaviour as operators see it: of `goal` records that were there when it was new, `done` are in."""

    key: str
    topic: str
    is_ready: bool
    created_at: datetime
    since: datetime | None
    done: int
    goal: int


@dataclass(frozen=True, slots=True)
class Position:
    """The place up to which the events of a behaviour are in, on a partition."""

    behaviour: Keyed
    next_offset: int
    stamp: int


class RecordRow(NamedTuple):
    """The record of a customer's behaviour; None where nothing is left."""

    customer_id: str
    key: str
    record: bytes | None


class BehaviourRows:
    """The part of a transaction that is about behaviours. `put` has a statement wait for those it is written with."""

    def __init__(self, connection: Any, put: Callable[..., None]) -> None:
        self._connection, self._put, self._sql = connection, put, queries("behaviours")

    async def of_project(self, project_id: str) -> dict[str, tuple[bool, datetime | None]]:
        """By key: whether all that was there at the beginning is in, and since when events are known."""
        rows = await self._connection.fetch(self._sql["behaviours"], project_id)
        return {row["key"]: (row["is_ready"], row["since"]) for row in rows}

    async def all(self) -> dict[Keyed, tuple[str, bool]]:
        """The topic of every behaviour, and whether it is ready."""
        rows = await self._connection.fetch(self._sql["all_behaviours"])
        return {Keyed(row["project_id"], row["key"]): (row["topic"], row["is_ready"]) for row in rows}

    async def versions(self) -> dict[Keyed, tuple[int, int]]:
        """The serial and version of every segment."""
        rows = await self._connection.fetch(self._sql["versions"])
        return {Keyed(row["project_id"], row["segment_id"]): (row["serial"], row["version"]) for row in rows}

    async def add(self, behaviour: Keyed, topic: str, now: datetime, ends: Mapping[int, tuple[int, int]]) -> bool:
        """Add a behaviour, with the first offset and the end of each partition; False where it is there already."""
        if not await self._connection.fetchval(self._sql["add_behaviour"], *behaviour, topic, now):
            return False
        columns = [list(ends), [low for low, _ in ends.values()], [high for _, high in ends.values()]]
        await self._connection.execute(self._sql["add_behaviour_positions"], *behaviour, topic, now, *columns)
        return True

    async def remove(self, behaviours: Collection[Keyed]) -> None:
        """Forget behaviours, and all that is known by them."""
        if behaviours:
            await self._connection.execute(self._sql["remove_behaviours"], *_columns(behaviours))

    async def lock(self, place: Place, begin: int, *, is_ready: bool) -> list[Position]:
        """The behaviours that records from an offset on are for; locked."""
        rows = await self._connection.fetch(self._sql["lock_behaviours"], *place, is_ready, begin)
        return [Position(Keyed(row["project_id"], row["key"]), row["next_offset"], row["stamp"]) for row in rows]

    async def move(self, partition: int, ends: Mapping[Keyed, int], stamp: int, first: datetime | None) -> None:
        """Everything before these offsets is in; `first` is the time of the first record, where there was one."""
        columns = _columns(ends)
        self._put(self._sql["move_behaviours"], *columns, partition, stamp, first, list(ends.values()))

    async def records(self, project_id: str, ids: Iterable[str]) -> list[asyncpg.Record]:
        """customer_id, key, record."""
        rows: list[asyncpg.Record] = await self._connection.fetch(self._sql["records"], project_id, list(ids))
        return rows

    async def put_records(self, project_id: str, rows: Sequence[RecordRow]) -> None:
        """Each (customer, behaviour) at most once."""
        if kept := [row for row in rows if row.record is not None]:
            self._put(self._sql["put_records"], project_id, *map(list, zip(*kept, strict=True)))
        if gone := [row[:2] for row in rows if row.record is None]:
            self._put(self._sql["forget_records"], project_id, *map(list, zip(*gone, strict=True)))

    async def erased(self, project_id: str, ids: Collection[str]) -> dict[str, datetime]:
        """Of some customers, those who were erased, and when."""
        rows = await self._connection.fetch(self._sql["erased"], project_id, list(ids))
        return {row["customer_id"]: row["erased_at"] for row in rows}

    async def erase(self, project_id: str, erased_at: Mapping[str, datetime]) -> None:
        """Forget what customers did, and remember until when that was."""
        ids = list(erased_at)
        await self._connection.execute(self._sql["note_erased"], project_id, ids, list(erased_at.values()))
        await self._connection.execute(self._sql["erase_records"], project_id, ids)


class Behaviours:
    """Raises TryLater while Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool, self._sql = pool, queries("behaviours")

    async def progress(self, project_id: str) -> list[Progress]:
        """Every behaviour of a project, by key."""
        rows = await self._fetch("progress", project_id)
        return [Progress(**row) for row in rows]

    async def settle(self) -> list[Keyed]:
        """The behaviours that have become ready."""
        return [Keyed(row["project_id"], row["key"]) for row in await self._fetch("settle")]

    async def places(self, partitions: Collection[int], *, is_ready: bool) -> dict[Place, int]:
        """The offsets from which behaviours have to be read on, on some partitions."""
        rows = await self._fetch("places", is_ready, list(partitions))
        return {Place(row["topic"], row["partition"]): row["next_offset"] for row in rows}

    async def cut(self, place: Place, low: int, now: datetime) -> None:
        """Records before an offset are gone, whether or not they have been read."""
        await self._fetch("cut_behaviours", *place, low, now)

    async def _fetch(self, name: str, *arguments: Any) -> list[asyncpg.Record]:
        async with passing_errors(self._pool):
            rows: list[asyncpg.Record] = await self._pool.fetch(self._sql[name], *arguments)
            return rows


def _columns(keys: Iterable[Keyed]) -> tuple[list[str], list[str]]:
    listed = list(keys)
    return [one.project_id for one in listed], [one.id for one in listed]
