"""Decisions, ends of deliveries and purchases as recorders keep them: by the day, with how far each source is in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import asyncpg
import msgspec

from schemas.closed import PurchaseKind
from schemas.wire import copy_fields
from store.postgres import passing_errors, transaction
from store.read_models.copied import CopiedRow, copy_of, packed, texts_and_moment_of, texts_of
from store.sql import queries

DAYS_AHEAD = 31
"""Days after today that are made where rows need them: more than upstream's clocks are ever ahead."""
BEYOND = copy_fields.BEYOND
"""The day of what is dated further ahead."""
GIVEN = ("sent", "recovered")
"""Ends of deliveries that gave a customer their code."""
_LOCKS = {"purchases": "lock_codes", "statuses": "share_codes"}
"""By table, the lock under which its rows look for those of the other."""
_EACH = timedelta(minutes=2)
"""Between two rounds of retention, whoever makes them."""


class DecisionRow(NamedTuple):
    """A decision. `day` is that of its event, or of a release that at which it was due."""

    day: date
    project_id: str
    decision_id: str
    distribution_id: str
    distribution_version: int
    distribution_name: str
    event_id: str
    event_type: str
    event_at: datetime
    send_id: str | None
    customer_id: str
    outcome: str
    reason: str | None
    detail: str | None
    arm: str | None
    channel: str | None
    delivery_id: str | None
    until_at: datetime | None
    due_at: datetime | None
    checks: str
    decided_at: datetime

    def packed(self) -> CopiedRow:
        """The same as COPY takes it. Raises BadRecord."""
        return packed(self.day, self[1:3], self[3:])


class StatusRow(NamedTuple):
    """An end of a delivery, or a report of it."""

    day: date
    project_id: str
    delivery_id: str
    outcome: str
    occurred_at: datetime
    distribution_id: str
    distribution_version: int
    distribution_name: str
    event_id: str
    event_type: str
    event_at: datetime
    send_id: str | None
    customer_id: str
    channel: str
    account: str
    type: str
    reason: str | None
    detail: str
    provider_id: str | None
    attempts: int
    due_at: datetime | None
    arm: str | None
    code_key: str | None

    def packed(self) -> CopiedRow:
        """The same as COPY takes it. Raises BadRecord."""
        return packed(self.day, self[1:5], self[5:], tells_code=self.code_key is not None and self.outcome in GIVEN)


class PurchaseRow(NamedTuple):
    """An order that was paid, a code that was redeemed, or that one of them was taken back."""

    day: date
    project_id: str
    event_id: str
    customer_id: str
    event_at: datetime
    kind: PurchaseKind
    subject_id: str
    code_key: str | None
    amount: int | None
    currency: str | None

    def packed(self) -> CopiedRow:
        """The same as COPY takes it. Raises BadRecord."""
        return packed(self.day, self[1:3], self[3:], tells_code=self.code_key is not None)


Row = DecisionRow | StatusRow | PurchaseRow | CopiedRow


class _Table(NamedTuple):
    """The columns of a table that are written, and the values of its keys."""

    columns: tuple[str, ...]
    key_values: Callable[[bytes], tuple[object, ...]]


_TABLES = {
    "decisions": _Table(DecisionRow._fields, texts_of),
    "statuses": _Table(StatusRow._fields, texts_and_moment_of),
    "purchases": _Table(PurchaseRow._fields, texts_of),
}


class Sourced(msgspec.Struct, frozen=True, gc=False):
    """A row, and the offset and time (Unix ms) of the record that it was read from."""

    offset: int
    stamp: int
    row: Row


@dataclass(frozen=True, slots=True)
class Source:
    """Records of one partition: read up to `end`, the latest of them of the time `stamp` (Unix ms).

    `begin` is the offset of the first of them, where nothing that was not kept may lie before it.
    """

    topic: str
    partition: int
    end: int
    stamp: int
    begin: int | None = None


class Behind(Exception):
    """Records begin after the end of what was kept: Postgres has been restored. Nothing was written."""

    def __init__(self, next_offset: int) -> None:
        super().__init__(next_offset)
        self.next_offset = next_offset


@dataclass(frozen=True, slots=True)
class Put:
    """The numbers of rows that are new, of those that were known, and of those whose day is kept no longer."""

    new: int = 0
    known: int = 0
    late: int = 0


class Recorded:
    """Keeps rows for `keep`, by their day. Raises TryLater while Postgres is away."""

    prefix = "recorded"
    """Of the tables' names."""

    def __init__(self, pool: asyncpg.Pool, keep: timedelta, *, each: timedelta = _EACH) -> None:
        self.pool, self._keep, self._each = pool, keep, each
        self._sql, self._begin_chore = queries("recorded"), queries("retention")["begin_chore"]

    async def put_decisions(self, source: Source, rows: Sequence[Sourced]) -> Put:
        """Keep decisions and move the position of their source, in one transaction. Raises Behind."""
        return await self._put("decisions", source, rows)

    async def put_statuses(self, source: Source, rows: Sequence[Sourced]) -> Put:
        """Keep ends of deliveries and move the position of their source, in one transaction. Raises Behind."""
        return await self._put("statuses", source, rows)

    async def put_purchases(self, source: Source, rows: Sequence[Sourced]) -> Put:
        """Keep purchases and move the position of their source, in one transaction. Raises Behind."""
        return await self._put("purchases", source, rows)

    async def _put(self, table: str, source: Source, rows: Sequence[Sourced]) -> Put:
        async def work(connection: asyncpg.Connection) -> Put:
            position = await self._position(connection, source)
            if source.begin is not None and source.begin > position["next_offset"]:
                raise Behind(position["next_offset"])
            read = [one for one in rows if one.offset >= position["next_offset"] or one.stamp > position["stamp"]]
            if source.end <= position["next_offset"] and not read:
                return Put(known=len(rows))
            kept = [_packed(one.row) for one in read if one.row.day >= position["oldest"]]
            new = await self._write(connection, table, kept, position) if kept else 0
            late = len(read) - len(kept)
            moved = source.topic, source.partition, source.end, source.stamp, late
            await connection.execute(self._sql["move_position"], *moved)
            return Put(new, len(rows) - new - late, late)

        return await transaction(self.pool, work)

    async def _position(self, connection: asyncpg.Connection, source: Source) -> asyncpg.Record:
        place = source.topic, source.partition
        row = await connection.fetchrow(self._sql["lock_position"], *place, self._keep, DAYS_AHEAD)
        if row is None:
            await connection.execute(self._sql["add_position"], *place)
            row = await connection.fetchrow(self._sql["lock_position"], *place, self._keep, DAYS_AHEAD)
        return row

    async def _write(
        self, connection: asyncpg.Connection, table: str, rows: Sequence[CopiedRow], position: asyncpg.Record
    ) -> int:
        """Write rows, the last of each id, and count them; how many are new.

        What was beyond at first stays there when its day comes.

        The table is read before its days are looked at: retention, which locks it, cannot drop them in between then.
        """
        beyond: set[tuple[object, ...]] = set()
        values = _TABLES[table].key_values
        if await connection.fetchval(self._sql[f"any_{table}_beyond"]):
            asked = _columns({values(row.key) for row in rows})
            beyond = {tuple(row) for row in await connection.fetch(self._sql[f"{table}_beyond"], *asked)}
        placed: dict[tuple[date, bytes], CopiedRow] = {}
        latest = position["latest"]
        for row in rows:
            is_beyond = row.day > latest or (beyond and values(row.key) in beyond)
            day = BEYOND if is_beyond else row.day
            placed[day, row.key] = msgspec.structs.replace(row, day=day) if is_beyond else row
        days = sorted({day for day, _ in placed} - {BEYOND})
        await connection.execute(self._sql["make_days"], f"{self.prefix}_{table}", days)
        await self._stage(connection, table, placed.values())
        source = () if table == "purchases" else (position["source"],)
        new: int = await connection.fetchval(self._sql[f"put_{table}"], *source)
        if table != "decisions":  # which have no codes
            await self._attribute(connection, table, placed.values())
        return new

    async def _stage(self, connection: asyncpg.Connection, table: str, rows: Collection[CopiedRow]) -> None:
        """Copy rows to where the statement that puts them takes them from."""
        columns = _TABLES[table].columns
        await connection.execute(self._sql[f"stage_{table}"])
        await connection.copy_to_table(
            f"staged_{table}_1", schema_name="pg_temp", columns=columns, source=copy_of(rows, len(columns)),
            format="binary",
        )  # fmt: skip

    async def _attribute(self, connection: asyncpg.Connection, table: str, rows: Iterable[CopiedRow]) -> None:
        """Have each redemption name the delivery that gave its code, whichever of the two is kept last.

        Of two transactions with one of them each, the later to have the lock sees what the other has written.
        """
        values = _TABLES[table].key_values
        with_code = [(row.day, *values(row.key)) for row in rows if row.tells_code]
        if with_code:
            await connection.execute(self._sql[_LOCKS[table]])
            await connection.execute(self._sql[f"attribute_{table}"], *_columns(with_code))

    async def tidy(self) -> int:
        """Drop the days that are kept no longer, where it is time for it and nobody else does it; how many."""
        async with passing_errors(self.pool):
            if not await self.pool.fetch(self._begin_chore, "recorded", self._each):
                return 0
            old = await self.pool.fetch(self._sql["old_days"], self._keep)
            for count, row in enumerate(old):
                if not await self.pool.fetchval(self._sql["drop_day"], row["parent"], row["day"]):
                    return count  # somebody reads: a dump, say
        return len(old)


def _packed(row: Row) -> CopiedRow:
    return row if isinstance(row, CopiedRow) else row.packed()


def _columns(rows: Any) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
