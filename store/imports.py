"""Files of codes or customers, handed in whole: kept in parts until they are added, in batches, by one process at once.

Whoever works on one has a lease on it. How far it is moves in the transaction of each batch, so that whoever takes it
up after a crash goes on behind the last batch that is in.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import asyncpg
import msgspec

from schemas.audit import AuditAction, AuditEntry
from schemas.errors import TidingsError
from store import audit
from store.postgres import changing, passing_errors
from store.sql import queries

ImportState = Literal["waiting", "checking", "adding", "done", "refused", "failed", "canceled"]
"""Refused: some of its lines are wrong, and nothing was added. Failed and canceled: what was added by then stays."""
ImportKind = Literal["codes", "customers"]
ImportForm = Literal["csv", "ndjson"]
ImportPlace = tuple[datetime, str]
"""The place of an import in a list, newest first: when it was handed in, and its id."""
MOST_OPEN = 10
"""Imports of a project that are not over."""
_BEGUN: Mapping[ImportKind, AuditAction] = {"codes": "codes.import_begun", "customers": "customers.import_begun"}
_CANCELED: Mapping[ImportKind, AuditAction] = {
    "codes": "codes.import_canceled", "customers": "customers.import_canceled",
}  # fmt: skip


class ImportProblem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is wrong in a file: its line and field, the kind of what stands there, and what is allowed.

    It shows nothing of a customer.
    """

    line: int | None = None
    field: str = ""
    given: str | None = None
    allowed: str | None = None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewImport:
    """A file as it is handed in; `campaign_id` is that of codes, which may be `as_written`.

    `skip_wrong`: lines that are wrong are left out, and the others added.
    """

    kind: ImportKind
    campaign_id: str | None = None
    form: ImportForm = "csv"
    as_written: bool = False
    skip_wrong: bool = False
    size: int


@dataclass(frozen=True, slots=True)
class ImportRow:
    """An import as it stands.

    Of its `rows`, `rows_read` are done: added, or there already (in the project, or in the file above), or left out
    since they are wrong, or since the customer was erased.
    """

    project_id: str
    import_id: str
    kind: ImportKind
    campaign_id: str | None
    form: ImportForm
    state: ImportState
    as_written: bool
    skip_wrong: bool
    bytes: int
    bytes_read: int
    rows: int
    rows_read: int
    added: int
    in_file: int
    in_project: int
    wrong: int
    erased: int
    alike: int
    expired: int
    may_lack_zeros: bool
    first_position: int | None
    problems: tuple[ImportProblem, ...]
    why: str
    cancel_by: str | None
    created_by: str
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None

    @property
    def thing(self) -> str:
        """The thing that it is about, as the audit log names it: the campaign, or itself."""
        return self.campaign_id or self.import_id


@dataclass(frozen=True, slots=True, kw_only=True)
class LookedThrough:
    """A file that was looked through, or the first lines of it: its rows, those that are wrong, the first of these."""

    rows: int
    wrong: int = 0
    problems: tuple[ImportProblem, ...] = ()
    alike: int = 0
    expired: int = 0
    may_lack_zeros: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A batch that is in: so many rows, from row `at` on, and what became of them."""

    at: int
    rows: int
    added: int
    in_file: int = 0
    in_project: int = 0
    erased: int = 0
    first_position: int | None = None


class TooManyImports(TidingsError):
    """A project has as many imports under way as it may."""


class StagedImports:
    """Imports. Raises TryLater while Postgres is away; times are the database's."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool, self._sql = pool, queries("imports")

    # -- what people see ------------------------------------------------------------------------------------------

    async def add(
        self, project_id: str, import_id: str, new: NewImport, parts: AsyncIterator[bytes], *, by: str
    ) -> ImportRow:
        """Keep a file, part by part as they come, whole or not at all. Raises TooManyImports."""
        async with changing(self._pool) as connection:
            await connection.execute(self._sql["lock_project"], project_id)
            if await connection.fetchval(self._sql["open_of_project"], project_id) >= MOST_OPEN:
                raise TooManyImports(f"{MOST_OPEN} imports are not over yet: wait for one, or cancel one")
            of = project_id, import_id
            what = new.kind, new.campaign_id, new.form, new.as_written, new.skip_wrong, new.size, by
            row = _row(await connection.fetchrow(self._sql["add"], *of, *what))
            number = 0
            async for part in parts:
                await connection.execute(self._sql["add_part"], *of, number, part)
                number += 1
            said = {"import": import_id, "bytes": new.size}
            action = _BEGUN[new.kind]
            await audit.write(connection, AuditEntry(project_id, by, action, row.thing, None, said))
        return row

    async def find(self, project_id: str, import_id: str) -> ImportRow | None:
        """One of them."""
        rows = await self._fetch("find", project_id, import_id)
        return _row(rows[0]) if rows else None

    async def ids(self, project_id: str) -> list[str]:
        """Those that a person could mean."""
        return [row["import_id"] for row in await self._fetch("ids", project_id)]

    async def listed(
        self,
        project_id: str,
        limit: int,
        after: ImportPlace | None = None,
        kind: ImportKind | None = None,
        campaign: str | None = None,
    ) -> list[ImportRow]:
        """The newest, behind a place; of one kind, or for one campaign, where that is named."""
        rows = await self._fetch("listed", project_id, limit, *(after or (None, None)), kind, campaign)
        return [_row(row) for row in rows]

    async def cancel(self, project_id: str, import_id: str, by: str, *, dry_run: bool = False) -> ImportRow | None:
        """Have no more of it added; None where it is over already."""
        async with changing(self._pool, dry_run=dry_run) as connection:
            found = await connection.fetchrow(self._sql["ask_to_cancel"], project_id, import_id, by)
            if found is None:
                return None
            row = _row(found)
            if row.ended_at is not None:
                await connection.execute(self._sql["drop_parts"], project_id, import_id)
            said = {"import": import_id}
            await audit.write(connection, AuditEntry(project_id, by, _CANCELED[row.kind], row.thing, None, said))
        return row

    # -- whoever works on them ------------------------------------------------------------------------------------

    async def claim(self, owner: str, lease: timedelta, until: ImportRow | None = None) -> ImportRow | None:
        """The oldest that nobody works on, for us alone as long as we say so in time.

        `until`: it, or one of its kind that its project was handed before.
        """
        which = (until.project_id, until.kind, until.created_at) if until else (None, None, None)
        rows = await self._fetch("claim", owner, lease, *which)
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

    async def checked(self, one: ImportRow, owner: str, found: LookedThrough) -> bool:
        """It may be added; False as above."""
        of = one.project_id, one.import_id, owner
        what = found.rows, found.wrong, _text(found.problems), found.alike, found.expired, found.may_lack_zeros
        return bool(await self._fetch("checked", *of, *what))

    async def end(
        self, one: ImportRow, owner: str, state: ImportState, found: LookedThrough | None = None, why: str = ""
    ) -> None:
        """End it, as canceled where somebody wanted that and it was not done."""
        what = (None, None) if found is None else (_text(found.problems), found.wrong)
        await self._fetch("end", one.project_id, one.import_id, owner, state, *what, why)

    async def release(self, one: ImportRow, owner: str) -> None:
        """Leave it to whoever is next."""
        await self._fetch("release", one.project_id, one.import_id, owner)

    async def _fetch(self, name: str, *arguments: object) -> list[asyncpg.Record]:
        async with passing_errors(self._pool):
            rows: list[asyncpg.Record] = await self._pool.fetch(self._sql[name], *arguments)
            return rows


async def advanced(connection: asyncpg.Connection, one: ImportRow, owner: str, batch: Batch, lease: timedelta) -> bool:
    """Note a batch in its transaction; False where it is not ours, or is to end."""
    what = batch.at, batch.rows, batch.added, batch.in_file, batch.in_project, batch.erased, batch.first_position
    sql = queries("imports")["advance"]
    return bool(await connection.fetchval(sql, one.project_id, one.import_id, owner, *what, lease))


async def erased_since(connection: asyncpg.Connection, one: ImportRow, customers: Sequence[str]) -> frozenset[str]:
    """Those of some customers who were erased since the file was handed in; nobody else is until the transaction ends.

    What a file of before says of them is not written: it would bring them back.
    """
    sql = queries("imports")
    await connection.execute(sql["lock_customers"], one.project_id)
    rows = await connection.fetch(sql["erased_since"], one.project_id, customers, one.created_at)
    return frozenset(row["id"] for row in rows)


def _text(problems: Sequence[ImportProblem]) -> str:
    return msgspec.json.encode(problems).decode()


def _row(row: asyncpg.Record) -> ImportRow:
    return ImportRow(**{**row, "problems": msgspec.json.decode(row["problems"], type=tuple[ImportProblem, ...])})
