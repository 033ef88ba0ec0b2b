"""Codes from elsewhere into a pool: a batch is there whole or not at all, and what is there already stays as it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import NamedTuple

import asyncpg

from schemas.audit import AuditEntry
from schemas.errors import TidingsError
from store import audit
from store.postgres import transaction
from store.sql import queries

_COLUMNS = ("line", "code", "active", "start_date", "expiration_date", "value", "metadata", "number")


class NewCode(NamedTuple):
    """One code to add. `line` is its place in the file, `metadata` is JSON."""

    line: int
    code: str
    active: bool
    start_date: datetime | None
    expiration_date: datetime | None
    value: int | None
    metadata: str


class Double(NamedTuple):
    """A code that was there already: from the same import, or in a campaign of the project."""

    line: int
    code: str
    is_of_file: bool
    campaign_id: str


class Merged(NamedTuple):
    """The outcome of a batch. `doubles` names the first of them only."""

    added: int
    in_file: int
    in_project: int
    doubles: tuple[Double, ...]


Also = Callable[[asyncpg.Connection, int, Merged], Awaitable[None]]
"""Something that is kept with a batch or not at all: it gets the position from which on codes are of this import."""


class CodeImport:
    """One import into one campaign, batch by batch. Raises TidingsError without the campaign, TryLater.

    Nothing is kept of a `dry_run`: its next batch does not know the codes of the one before.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        project_id: str,
        campaign_id: str,
        *,
        by: str,
        dry_run: bool = False,
        first: int | None = None,
    ) -> None:
        self._pool, self._by = pool, by
        self._dry_run = dry_run
        self._sql = queries("code_import")
        self._place = (project_id, campaign_id)
        self._first = first
        """The position from which on codes are of this import; of one that goes on, as it was told before."""

    async def merge(
        self, codes: Sequence[NewCode], now: datetime, *, name: int = 0, also: Also | None = None
    ) -> Merged:
        """Add a batch in its order, in one transaction, and name so many of those that were there already."""

        async def merge(connection: asyncpg.Connection) -> tuple[int, Merged]:
            row = await connection.fetchrow(self._sql["lock_pool"], *self._place)
            if row is None:
                raise TidingsError(f'no campaign "{self._place[1]}"')
            first = row["next_position"] if self._first is None else self._first
            merged = await self._merge(connection, row["key"], row["next_position"], first, codes, now, name)
            if also is not None:
                await also(connection, first, merged)
            if merged.added:
                said = {"count": merged.added, "in_file": merged.in_file, "in_project": merged.in_project}
                await audit.write(
                    connection, AuditEntry(self._place[0], self._by, "codes.imported", self._place[1], None, said)
                )
            return first, merged

        self._first, merged = await transaction(self._pool, merge, dry_run=self._dry_run)
        return merged

    async def _merge(
        self,
        connection: asyncpg.Connection,
        key: int,
        place: int,
        first: int,
        codes: Sequence[NewCode],
        now: datetime,
        name: int,
    ) -> Merged:
        project_id = self._place[0]
        await connection.execute(self._sql["make_incoming"])
        records = [(*code, number) for number, code in enumerate(codes)]
        await connection.copy_records_to_table("incoming_codes", records=records, columns=_COLUMNS)
        added = await connection.fetchrow(self._sql["add_incoming"], key, place, project_id, now)
        if added["added"]:
            await connection.execute(
                self._sql["count_incoming"], key, added["added"], added["inactive"], len(codes), now
            )
        if added["added"] == len(codes):
            return Merged(len(codes), 0, 0, ())
        counts = await connection.fetchrow(self._sql["count_doubles"], key, place, project_id, first)
        rows = await connection.fetch(self._sql["doubles"], key, place, project_id, first, name) if name else []
        doubles = tuple(Double(row["line"], row["code"], row["in_file"], row["campaign_id"]) for row in rows)
        return Merged(added["added"], counts["in_file"], counts["in_project"], doubles)
