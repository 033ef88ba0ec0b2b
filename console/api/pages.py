"""Lists by pages: a cursor says behind which row the next page begins, so that none is lost or doubled meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from console.api.problems import in_parameter, refused
from schemas.formats.cursors import parse_cursor, write_cursor

T = TypeVar("T")
K = TypeVar("K", str, int, tuple[Any, ...])


def read_cursor(written: str | None, kind: type[T]) -> T | None:
    """The key of the last row that was shown; None for the first page. Raises Refused."""
    if written is None:
        return None
    try:
        return parse_cursor(written, kind)
    except ValueError:
        said = "is not valid: must be `next` of the page before, unchanged"
        raise refused("invalid", "", in_parameter("cursor", said)) from None


def next_cursor(rows: Sequence[T], limit: int, key: Callable[[T], Any]) -> tuple[Sequence[T], str | None]:
    """The rows of a page, and the cursor of the next one. There is one more row than `limit` where more are to come."""
    if len(rows) <= limit:
        return rows, None
    page = rows[:limit]
    return page, write_cursor(key(page[-1]))


def page_of(
    rows: Iterable[T], cursor: str | None, limit: int, key: Callable[[T], K], kind: type[K]
) -> tuple[Sequence[T], str | None]:
    """A page of rows that are all at hand, in the order of their keys, and the next cursor. Raises Refused.

    A database orders text by its language: its order and a comparison here may not agree, so they are ordered here.
    """
    after = read_cursor(cursor, kind)
    rest = sorted((one for one in rows if after is None or key(one) > after), key=key)
    return next_cursor(rest[: limit + 1], limit, key)
