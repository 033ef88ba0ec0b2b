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
from store.read_models.copied import (
    COUNTED,
    CopiedRow,
    Values,
    copy_of,
    counts_of,
    packed,
    texts_and_moment_of,
    texts_of,
)
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
        counted = tuple(getattr(self, name) for name in COUNTED)
        return packed(Values(self.day, 2, self[1:], self.customer_id, self.event_at, self.due_at, counted))


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
        counted = tuple(getattr(self, name) for name in COUNTED)
        tells_code = self.code_key is not None and self.outcome in GIVEN
        return packed(Values(self.day, 4, self[1:], self.customer_id, self.event_at, self.due_at, counted, tells_code))


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
        has_code = self.code_key is not None
        return packed(Values(self.day, 2, self[1:], self.customer_id, self.event_at, tells_code=has_code))


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


class _Written(NamedTuple):
    """The number of rows that are new, and that of all ids."""

    new: int
    ids: int


class Recorded:
    """Keeps rows for `keep`, by their day. Raises TryLater while Postgres is away."""

    prefix = "recorded"
    """Of the tables' names."""

    def __init__(self, pool: asyncpg.Pool, keep: timedelta, *, each: timedelta = _EACH) -> None:
        self.pool, self._keep, self._each = pool, keep, each
        self._sql, self._begin_chore = queries("recorded"), queries("retention")["begin_chore"]
        self._retold: dict[tuple[str, int], bool] = {}
        """By partition, True where its last rows were not all new: the next are compared with those that are there."""

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
        is_retold = self._retold.get((source.topic, source.partition), False)

        async def work(connection: asyncpg.Connection) -> Put:
            nonlocal is_retold
            position = await self._position(connection, source)
            if source.begin is not None and source.begin > position["next_offset"]:
                raise Behind(position["next_offset"])
            read = [one for one in rows if one.offset >= position["next_offset"] or one.stamp > position["stamp"]]
            if source.end <= position["next_offset"] and not read:
                return Put(known=len(rows))
            oldest = position["oldest"]
            kept = [
                row if isinstance(row, CopiedRow) else row.packed() for one in read if (row := one.row).day >= oldest
            ]
            expects_new, is_retold = not is_retold, True  # where it is done again, rows met those of others
            written = await self._write(connection, table, kept, position, expects_new=expects_new)
            is_retold = written.new < written.ids
            late = len(read) - len(kept)
            moved = source.topic, source.partition, source.end, source.stamp, late
            await connection.execute(self._sql["move_position"], *moved)
            return Put(written.new, len(rows) - written.new - late, late)

        put = await transaction(self.pool, work)
        self._retold[source.topic, source.partition] = is_retold
        return put

    async def _position(self, connection: asyncpg.Connection, source: Source) -> asyncpg.Record:
        place = source.topic, source.partition
        row = await connection.fetchrow(self._sql["lock_position"], *place, self._keep, DAYS_AHEAD)
        if row is None:
            await connection.execute(self._sql["add_position"], *place)
            row = await connection.fetchrow(self._sql["lock_position"], *place, self._keep, DAYS_AHEAD)
        return row

    async def _write(
        self,
        connection: asyncpg.Connection,
        table: str,
        rows: Sequence[CopiedRow],
        position: asyncpg.Record,
        *,
        expects_new: bool,
    ) -> _Written:
        """Write rows, the last of each id, and count them.

        What was beyond at first stays there when its day comes. Rows that are expected to be new are copied to where
        they stay, at half of what it costs to compare them first; where one is not, the work is done again.

        The table is read before its days are looked at: retention, which locks it, cannot drop them in between then.
        """
        if not rows:
            return _Written(0, 0)
        since = copy_fields.moment_of(min(row.event_at for row in rows))
        any_beyond, any_erased = await connection.fetchrow(self._sql[f"exceptions_of_{table}"], since)
        beyond = await self._beyond(connection, table, rows) if any_beyond else set()
        placed = _placed(rows, position["latest"], beyond)
        days = sorted({row.day for row in placed} - {BEYOND})
        await connection.execute(self._sql["make_days"], f"{self.prefix}_{table}", days)
        source = () if table == "purchases" else (position["source"],)
        if expects_new and not (any_erased and await self._any_erased(connection, rows, since)):
            await self._copy(connection, table, placed, position["now"])
            if source:
                await self._count(connection, table, placed, *source)
            new = len(placed)
        else:
            await self._stage(connection, table, placed)
            new = await connection.fetchval(self._sql[f"put_{table}"], *source)
        if table != "decisions":  # which have no codes
            await self._attribute(connection, table, placed)
        return _Written(new, len(placed))

    async def _beyond(self, connection: asyncpg.Connection, table: str, rows: Sequence[CopiedRow]) -> set[bytes]:
        """The keys of rows that were recorded when their day was too far ahead."""
        values = _TABLES[table].key_values
        keys = {values(row.key): row.key for row in rows}
        found = await connection.fetch(self._sql[f"{table}_beyond"], *_columns(keys))
        return {keys[tuple(row)] for row in found}

    async def _any_erased(self, connection: asyncpg.Connection, rows: Sequence[CopiedRow], since: datetime) -> bool:
        """True where a customer of these rows was erased since then: of those, less is kept."""
        customers = {copy_fields.first_of(row.key) + row.customer for row in rows}
        asked = _columns(map(texts_of, customers))
        return bool(await connection.fetchval(self._sql["any_erased"], *asked, since))

    async def _copy(
        self, connection: asyncpg.Connection, table: str, rows: Collection[CopiedRow], now: datetime
    ) -> None:
        """Copy rows to where they stay. Raises UniqueViolationError where one of them is known."""
        day, *columns = _TABLES[table].columns
        columns = [day, "recorded_at", *columns]
        source = copy_of(rows, len(columns), copy_fields.moment(now))
        await connection.copy_to_table(f"{self.prefix}_{table}", columns=columns, source=source, format="binary")

    async def _count(
        self, connection: asyncpg.Connection, table: str, rows: Collection[CopiedRow], source: int
    ) -> None:
        """Count rows that are new."""
        await connection.execute(self._sql["stage_counts"])
        await connection.copy_to_table(
            "staged_counts_1", schema_name="pg_temp", source=counts_of(rows), format="binary"
        )
        await connection.execute(self._sql[f"count_{table}"], source)

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


def _placed(rows: Iterable[CopiedRow], latest: date, beyond: Collection[bytes]) -> Collection[CopiedRow]:
    """The last row of each id, under its day, or that which is beyond all."""
    placed = {(row.day, row.key): row for row in rows}
    if not beyond and all(day <= latest for day, _ in placed):
        return placed.values()
    moved = {}
    for row in rows:
        is_beyond = row.day > latest or row.key in beyond
        day = BEYOND if is_beyond else row.day
        moved[day, row.key] = msgspec.structs.replace(row, day=day) if is_beyond else row
    return moved.values()


def _columns(rows: Any) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
