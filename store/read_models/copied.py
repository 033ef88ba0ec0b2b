"""Rows as COPY takes them, packed once: of a record's bytes where they are as columns have them, else of values.

asyncpg packs value by value; that took half as long again as reading the record they are from.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from datetime import date, datetime
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from schemas.errors import BadRecord
from schemas.wire import copy_fields

MINUTE = 60_000_000
"""In microseconds."""
COUNTED = ("project_id", "distribution_id", "send_id", "outcome", "reason", "channel", "arm")
"""What counts of a minute are kept apart by."""


class CopiedRow(msgspec.Struct, frozen=True, gc=False):
    """A row: its day, its key within the day, and all its fields but the day, those of the key first.

    `event_at` is in microseconds since 2000. It is counted in the `minute` of that number, apart by the fields
    `counted`, where it has any. `tells_code`: it may name one's.
    """

    day: date
    key: bytes
    fields: bytes
    customer: bytes
    event_at: int
    minute: int = 0
    counted: bytes = b""
    tells_code: bool = False


class Values(NamedTuple):
    """The values of a row: `fields` are all but the day, those of its key first; see `CopiedRow`."""

    day: date
    key_size: int
    fields: tuple[Any, ...]
    customer: str
    event_at: datetime
    due_at: datetime | None = None
    counted: tuple[str | None, ...] = ()
    tells_code: bool = False


def packed(values: Values) -> CopiedRow:
    """A row of values. Raises BadRecord for what no column holds."""
    try:
        fields = [_field(value) for value in values.fields]
        counted = b"".join(map(_field, values.counted))
    except (struct.error, UnicodeEncodeError) as error:
        raise BadRecord(
            "Postgres cannot keep it: a number is too large for its column, or a text is not Unicode"
        ) from error
    event_at, counted_at = (copy_fields.micros(at) for at in (values.event_at, values.due_at or values.event_at))
    return CopiedRow(
        values.day, b"".join(fields[: values.key_size]), b"".join(fields), _field(values.customer), event_at,
        counted_at // MINUTE if counted else 0, counted, values.tells_code,
    )  # fmt: skip


def copy_of(rows: Collection[CopiedRow], columns: int, *more: bytes) -> bytearray:
    """All that COPY takes: of each row so many columns, the day, `more` and its own. Not `bytes`, a file to asyncpg."""
    begin, heads, pieces = copy_fields.row(columns), dict[date, bytes](), [copy_fields.HEADER]
    for row in rows:
        if row.day not in heads:
            heads[row.day] = b"".join((begin, copy_fields.day(row.day), *more))
        pieces += heads[row.day], row.fields
    pieces.append(copy_fields.END)
    return bytearray().join(pieces)


def counts_of(rows: Iterable[CopiedRow]) -> bytearray:
    """The same for the counts of rows: the day, the minute, what they are kept apart by, and their number."""
    counts = Counter[tuple[date, int, bytes]]()
    for (day, minute, counted), count in Counter(map(_COUNTED, rows)).items():
        counts[day, minute, counted.replace(copy_fields.NULL, _EMPTY)] += (
            count  # neither texts nor sizes have FF so often
        )
    begin, pieces = copy_fields.row(len(COUNTED) + 3), [copy_fields.HEADER]
    for (day, minute, counted), count in counts.items():
        at = copy_fields.number(minute * MINUTE)
        pieces += begin, copy_fields.day(day), at, counted, copy_fields.number(count)
    pieces.append(copy_fields.END)
    return bytearray().join(pieces)


def texts_of(key: bytes) -> tuple[object, ...]:
    """The values of a key of texts."""
    return tuple(field.decode() for field in copy_fields.fields_of(key))


def texts_and_moment_of(key: bytes) -> tuple[object, ...]:
    """The values of a key that ends with a point of time."""
    *texts, moment = copy_fields.fields_of(key)
    return *(field.decode() for field in texts), copy_fields.moment_in(moment)


def _field(value: Any) -> bytes:
    return copy_fields.NULL if value is None else _PACKED[type(value)](value)


_PACKED: dict[type, Callable[[Any], bytes]] = {
    str: lambda value: copy_fields.text(value.encode()), int: copy_fields.number, datetime: copy_fields.moment,
}  # fmt: skip
_EMPTY = copy_fields.text(b"")
_COUNTED = attrgetter("day", "minute", "counted")
