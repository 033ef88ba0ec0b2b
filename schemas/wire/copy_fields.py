"""Rows of PostgreSQL's binary COPY: a number of fields, and each field behind its size.

Source: PostgreSQL 17, "COPY", "Binary Format"; its types' own are those of their `send` functions.
"""

from __future__ import annotations

import struct
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
END = b"\xff\xff"
NULL = b"\xff\xff\xff\xff"
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
"""From which Postgres counts days and microseconds."""
BEYOND = date.max
"""A day that Postgres has as infinity."""

_SIZE, _COUNT = struct.Struct(">i"), struct.Struct(">h")
_LONG, _DAY = struct.Struct(">iq"), struct.Struct(">ii")
_MICROSECOND = timedelta(microseconds=1)
_INFINITY = 2**31 - 1

size = _SIZE.pack
"""The size of a field that follows. Raises struct.error."""


def text(value: bytes) -> bytes:
    """A text, in UTF-8."""
    return size(len(value)) + value


def number(value: int) -> bytes:
    """A whole number of 64 bits. Raises struct.error for a larger one."""
    return _LONG.pack(8, value)


def moment(value: datetime) -> bytes:
    """A point of time, of any zone."""
    return number(micros(value))


def micros(value: datetime) -> int:
    """The number of microseconds from 2000 to a point of time, as a field of one has it."""
    return (value - EPOCH) // _MICROSECOND


def micros_in(field: bytes) -> int:
    """The same of a field with its size."""
    return int.from_bytes(field[_SIZE.size :], signed=True)


@lru_cache(maxsize=1024)
def day(value: date) -> bytes:
    """A day."""
    return _DAY.pack(4, _INFINITY if value == BEYOND else value.toordinal() - EPOCH.toordinal())


def row(fields: int) -> bytes:
    """The beginning of a row of so many fields."""
    return _COUNT.pack(fields)


def fields_of(raw: bytes) -> list[bytes]:
    """The fields in `raw`, none of which is null, without their sizes."""
    found, at = [], 0
    while at < len(raw):
        start = at + _SIZE.size
        at = start + _SIZE.unpack_from(raw, at)[0]
        found.append(raw[start:at])
    return found


def first_of(raw: bytes) -> bytes:
    """The first field in `raw`, with its size."""
    return raw[: _SIZE.size + _SIZE.unpack_from(raw)[0]]


def moment_in(field: bytes) -> datetime:
    """The point of time in a field without its size."""
    return moment_of(int.from_bytes(field, signed=True))


def moment_of(count: int) -> datetime:
    """The point of time so many microseconds from 2000."""
    return EPOCH + count * _MICROSECOND
