"""Cursors: the key of the last row of a page, as whoever asks for the next one gives it back."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


def write_cursor(key: Any) -> str:
    """A key as letters that an address and a command line take as they are."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def parse_cursor(written: str, kind: type[T]) -> T:
    """The key that a cursor was made of. Raises ValueError."""
    raw = base64.b64decode(written + "=" * (-len(written) % 4), altchars=b"-_", validate=True)
    return msgspec.json.decode(raw, type=kind)


def ticks(moment: datetime) -> int:
    """Microseconds from 1970 to a moment, for keys that begin with it; negative ones put the newest first."""
    return round(moment.timestamp() * 1_000_000)
