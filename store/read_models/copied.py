"""Rows as COPY takes them, packed once: of a record's bytes where they are as columns have them, else of values.

asyncpg packs value by value; that took half as long again as reading the record they are from.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection
from datetime import date, datetime
from typing import Any

import msgspec

from schemas.errors import BadRecord
from schemas.wire import copy_fields


class CopiedRow(msgspec.Struct, frozen=True, gc=False):
    """A row: its day, the fields of its key within the day, and those behind. `tells_code`: it may name one's."""

    day: date
    key: bytes
    rest: bytes
    tells_code: bool = False


def packed(day: date, key: tuple[Any, ...], rest: tuple[Any, ...], *, tells_code: bool = False) -> CopiedRow:
    """A row of values. Raises BadRecord for what no column holds."""
    try:
        return CopiedRow(day, b"".join(map(_field, key)), b"".join(map(_field, rest)), tells_code)
    except (struct.error, UnicodeEncodeError) as error:
        raise BadRecord(
            "Postgres cannot keep it: a number is too large for its column, or a text is not Unicode"
        ) from error


def copy_of(rows: Collection[CopiedRow], columns: int) -> bytearray:
    """All that COPY takes, for rows of so many columns. Not `bytes`, in which asyncpg would see a file's name."""
    begin = copy_fields.row(columns)
    pieces = [copy_fields.HEADER]
    for row in rows:
        pieces += begin, copy_fields.day(row.day), row.key, row.rest
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
