"""Files of codes that are handed in whole: kept in parts until they are added, batch by batch, by one process at once.

Whoever works on one has a lease on it. How far it is moves in the transaction of each batch, so that whoever takes it
up after a crash goes on behind the last batch that is in.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import asyncpg
import msgspec

from schemas.audit import AuditEntry
from schemas.errors import TidingsError
from store import audit
from store.codes.imports import Merged
from store.postgres import changing, passing_errors
from store.sql import queries

ImportState = Literal["waiting", "checking", "adding", "done", "refused", "failed", "canceled"]
"""Refused: some of its lines are wrong, and nothing was added. Failed and canceled: what was added by then stays."""
ImportPlace = tuple[datetime, str]
"""The place of an import in a list, newest first: when it was handed in, and its id."""
MOST_OPEN = 10
"""Imports of a project that are not over."""


@dataclass(frozen=True, slots=True)
class ImportRow:
    """An import as it stands.

    Of its `rows`, `rows_read` were added or were there already: in the project, or in the file above.
    """

    project_id: str
    import_id: str
    campaign_id: str
    state: ImportState
    as_written: bool
    bytes: int
    bytes_read: int
    rows: int
    rows_read: int
    added: int
    in_file: int
    in_project: int
    alike: int
    expired: int
    may_lack_zeros: bool
    first_position: int | None
    problems: tuple[str, ...]
    why: str
    cancel_by: str | None
    created_by: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class TooManyImports(TidingsError):
    """A project has as many imports under way as it may."""


class StagedImports:
    """Imports. Raises TryLater while Postgres is away; times are the database's."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool, self._sql = pool, queries("staged_imports")

    # -- what people see ------------------------------------------------------------------------------------------

    async def add(
        self,
        project_id: str,
        import_id: str,
        campaign_id: str,
        parts: AsyncIterator[bytes],
        *,
        size: int,
        as_written: bool,
        by: str,
        dry_run: bool = False,
    ) -> ImportRow:
        """Keep a file, part by part as they come, whole or not at all. Raises TooManyImports."""
        async with changing(self._pool, dry_run=dry_run) as connection:
            await connection.execute(self._sql["lock_project"], project_id)
            if await connection.fetchval(self._sql["open_of_project"], project_id) >= MOST_OPEN:
                raise TooManyImports(f"{MOST_OPEN} imports are not over yet: wait for one, or cancel one")
            of = project_id, import_id
            row = await connection.fetchrow(self._sql["add"], *of, campaign_id, as_written, size, by)
            number = 0
            async for part in parts:
                await connection.execute(self._sql["add_part"], *of, number, part)
                number += 1
            said = {"import": import_id, "bytes": size}
            await audit.write(connection, AuditEntry(project_id, by, "codes.import_begun", campaign_id, None, said))
        return _row(row)

    async def find(self, project_id: str, import_id: str) -> ImportRow | None:
        """One of them."""
        rows = await self._fetch("find", project_id, import_id)
        return _row(rows[0]) if rows else None

    async def ids(self, project_id: str) -> list[str]:
        """Those that a person could mean."""
        return [row["import_id"] for row in await self._fetch("ids", project_id)]

    async def listed(self, project_id: str, limit: int, after: ImportPlace | None = None) -> list[ImportRow]:
        """The newest, behind a place."""
        return [_row(row) for row in await self._fetch("listed", project_id, limit, *(after or (None, None)))]

    async def cancel(self, project_id: str, import_id: str, by: str, *, dry_run: bool = False) -> ImportRow | None:
        """Have no more of it added; None where it is over already."""
        async with changing(self._pool, dry_run=dry_run) as connection:
            row = await connection.fetchrow(self._sql["ask_to_cancel"], project_id, import_id, by)
            if row is None:
                return None
            if row["ended_at"] is not None:
                await connection.execute(self._sql["drop_parts"], project_id, import_id)
            said = {"import": import_id}
            await audit.write(
                connection, AuditEntry(project_id, by, "codes.import_canceled", row["campaign_id"], None, said)
            )
        return _row(row)

    # -- whoever works on them ------------------------------------------------------------------------------------

    async def claim(self, owner: str, lease: timedelta) -> ImportRow | None:
        """The oldest that nobody works on, for us alone as long as we say so in time."""
        rows = await self._fetch("claim", owner, lease)
        return _row(rows[0]) if rows else None

    async def part(self, one: ImportRow, number: int) -> bytes | None:
        """A part of its content; None behind the last."""
        rows = await self._fetch("part", one.project_id, one.import_id, number)
        return rows[0]["content"] if rows else None

    async def begin_check(self, one: ImportRow, owner: str) -> None:
        """It is looked through."""
        await self._fetch("begin_check", one.project_id, one.import_id, owner)

    async def beat(self, one: ImportRow, owner: str, bytes_read: int, lease: timedelta) -> bool:
        """Keep it for longer; False where it is not ours any more, or somebody wants its end."""
        return bool(await self._fetch("beat", one.project_id, one.import_id, owner, bytes_read, lease))

    async def checked(
        self, one: ImportRow, owner: str, rows: int, *, alike: int, expired: int, may_lack_zeros: bool
    ) -> bool:
        """It may be added; False as above."""
        of = one.project_id, one.import_id, owner
        return bool(await self._fetch("checked", *of, rows, alike, expired, may_lack_zeros))

    async def end(
        self, one: ImportRow, owner: str, state: ImportState, problems: Sequence[str] = (), why: str = ""
    ) -> None:
        """End it, as canceled where somebody wanted that and it was not done."""
        text = msgspec.json.encode(problems).decode()
        await self._fetch("end", one.project_id, one.import_id, owner, state, text, why)

    async def release(self, one: ImportRow, owner: str) -> None:
        """Leave it to whoever is next."""
        await self._fetch("release", one.project_id, one.import_id, owner)

    async def _fetch(self, name: str, *arguments: object) -> list[asyncpg.Record]:
        async with passing_errors(self._pool):
            rows: list[asyncpg.Record] = await self._pool.fetch(self._sql[name], *arguments)
            return rows


async def advanced(
    connection: asyncpg.Connection,
    one: ImportRow,
    owner: str,
    at: int,
    count: int,
    merged: Merged,
    first: int,
    lease: timedelta,
) -> bool:
    """Note a batch that was read from there on, in its transaction; False where it is not ours, or is to end."""
    what = at, count, merged.added, merged.in_file, merged.in_project, first, lease
    sql = queries("staged_imports")["advance"]
    return bool(await connection.fetchval(sql, one.project_id, one.import_id, owner, *what))


def _row(row: asyncpg.Record) -> ImportRow:
    return ImportRow(**{**row, "problems": tuple(msgspec.json.decode(row["problems"]))})
