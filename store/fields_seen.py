"""The kinds of fields in samples of events, by the time of the events, as matchers counted them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import groupby
from typing import NamedTuple

import asyncpg
import msgspec

from schemas.distribution import Distribution
from schemas.errors import TryLater
from schemas.watching import FieldHistory, FieldSlot
from store.postgres import passing_errors
from store.sql import queries

KEPT = timedelta(days=15)
"""The time for which slots are kept: more than what is usual is judged by."""
SLOT = timedelta(minutes=15)
"""The length of a slot of the newest events."""
_FINE = timedelta(hours=6)
"""The time after which slots are made into hours."""
_HOUR = timedelta(hours=1)


class FieldKey(NamedTuple):
    """A field of some events, a slot of time, and the kind of value that is there; nothing where it is missing."""

    project_id: str
    subject: str
    path: str
    slot: datetime
    kind: str


class SeenKinds(NamedTuple):
    """The number of events of a sample, and the place of the last of them."""

    events: int
    example: str


class FieldsSeen:
    """Raises TryLater while Postgres is away, or does not have the table yet."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql = queries("fields_seen")

    async def add(self, counts: Mapping[FieldKey, SeenKinds]) -> None:
        """Add counts, in the order of their keys, to those that are there."""
        columns = [list(column) for column in zip(*counts, strict=True)]
        numbers, examples = [one.events for one in counts.values()], [one.example for one in counts.values()]
        try:
            async with passing_errors(self._pool):
                await self._pool.execute(self._sql["add_seen"], *columns, numbers, examples)
        except asyncpg.UndefinedTableError as error:  # no role that makes it has been started yet
            raise TryLater("Postgres: its tables are of an earlier release", what="Postgres") from error

    async def histories(self) -> list[FieldHistory]:
        """Each field with its slots, in the order of time."""
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(self._sql["seen"])
        return [
            FieldHistory(
                *name,
                tuple(
                    _slot(list(of_slot)) for _, of_slot in groupby(found, key=lambda row: (row["slot"], row["is_hour"]))
                ),
            )
            for name, found in groupby(rows, key=lambda row: (row["project_id"], row["subject"], row["path"]))
        ]

    async def paths(self, project_id: str, limit: int) -> list[str]:
        """The fields that events of a project had lately."""
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(self._sql["paths"], project_id, limit)
        return [row["path"] for row in rows]

    async def using(self) -> list[Distribution]:
        """The distributions that are live and wait for events of their own accord."""
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(self._sql["live"])
        return [msgspec.json.decode(row["definition"], type=Distribution) for row in rows]

    async def forget(self) -> None:
        """Make hours of slots that are no longer the newest, and drop what is too old."""
        async with passing_errors(self._pool):
            await self._pool.execute(self._sql["make_hours"], _FINE)
            await self._pool.execute(self._sql["forget_seen"], KEPT)


def _slot(rows: list[asyncpg.Record]) -> FieldSlot:
    start = rows[0]["slot"]
    return FieldSlot(
        start,
        start + (_HOUR if rows[0]["is_hour"] else SLOT),
        {row["kind"]: row["events"] for row in rows},
        {row["kind"]: row["example"] for row in rows},
    )
