"""Lists by pages: a cursor says behind which row the next page begins, so that none is lost or doubled meanwhile."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from console.api.problems import in_parameter, refused

T = TypeVar("T")


def read_cursor(written: str | None, kind: type[T]) -> T | None:
    """The key of the last row that was shown; None for the first page. Raises Refused."""
    if written is None:
        return None
    try:
        raw = base64.b64decode(written + "=" * (-len(written) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(raw, type=kind)
    except (binascii.Error, ValueError, msgspec.DecodeError):
        said = "is not valid: must be `next` of the page before, unchanged"
        raise refused("invalid", "", in_parameter("cursor", said)) from None


def next_cursor(rows: Sequence[T], limit: int, key: Callable[[T], Any]) -> tuple[Sequence[T], str | None]:
    """The rows of a page, and the cursor of the next one. There is one more row than `limit` where more are to come."""
    if len(rows) <= limit:
        return rows, None
    page = rows[:limit]
    raw = msgspec.json.encode(key(page[-1]))
    return page, base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
