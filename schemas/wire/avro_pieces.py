"""Avro values as text that has one character for each byte, so that many of them are joined at once.

Appending to bytes costs a call for each length and each text; joined as text, what a record holds is one call. A piece
that is ASCII throughout is its own bytes in UTF-8; any other is turned into bytes as latin-1.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any

Write = Callable[[bytearray, Any], None]
"""Appends a value. Raises TypeError, ValueError, LookupError or AttributeError for one that does not fit."""
ToBytes = Callable[[Any], bytes]
"""Gives the bytes of a value, else as `Write`."""
Piece = Callable[[Any], str]
"""Gives a value's bytes. Raises one of MISFIT for a value that does not fit: the writer of fields says why."""

WIDE = "latin-1"


def _varint(number: int) -> str:
    text = ""
    while number > 0x7F:
        text += chr(number & 0x7F | 0x80)
        number >>= 7
    return text + chr(number)


SHORT = tuple(_varint(number << 1) for number in range(8192))
"""The numbers from 0 on; the first 64 are ASCII. A larger one raises IndexError."""
PRESENT = tuple("\x02" + short for short in SHORT)
"""The same as the second arm of a union whose first is null."""
LENGTHS = tuple(short.encode(WIDE) for short in SHORT)
"""The same as bytes."""
PRESENT_LENGTHS = tuple(piece.encode(WIDE) for piece in PRESENT)
MISFIT = (TypeError, ValueError, LookupError, AttributeError, struct.error)
"""Errors of a value that does not fit its schema."""


@lru_cache(maxsize=256, typed=True)
def long_piece(value: Any) -> str:
    """A whole number that 64 bits hold; the latest are kept, since of many records some are the same: a revision."""
    if type(value) is not int:
        if type(value) is not float or not value.is_integer():
            raise TypeError(value)
        value = int(value)
    number = (value << 1) ^ (value >> 63)
    if number >> 64:
        raise ValueError(value)
    return _varint(number)


def text_piece(value: Any) -> str:
    """A text with its length."""
    if value.isascii():
        return SHORT[len(value)] + value if len(value) < 8192 else long_piece(len(value)) + value  # type: ignore[no-any-return]
    raw: bytes = value.encode()
    return long_piece(len(raw)) + raw.decode(WIDE)


def bytes_of(write: Write) -> ToBytes:
    """The bytes that a writer appends, by themselves."""

    def made(value: Any) -> bytes:
        out = bytearray()
        write(out, value)
        return bytes(out)

    return made


def part(write: Write) -> Piece:
    """A piece of what a writer appends."""

    def piece(value: Any) -> str:
        out = bytearray()
        write(out, value)
        return out.decode(WIDE)

    return piece
