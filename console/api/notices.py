"""Notices over HTTP: what waits for a person."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from console.api.pages import page_of
from console.api.route import Call, Cursor, Instant, Paged, Reply, Route
from console.control.notices import ShownNotice, notices_of
from schemas.formats.cursors import ticks
from store.notices import Notices, nobody


class NoticeListing(Paged, frozen=True, kw_only=True):
    """The parameters of a list of notices."""

    closed: Annotated[bool, Meta(description="Those that are over as well.")] = False


class NoticeShown(msgspec.Struct, frozen=True, kw_only=True):
    """A matter that waits for a person: what it is about, what is wrong, and the command that shows more or mends it.

    `closed_at` is null while it is open.
    """

    kind: str
    about: str
    summary: str
    look_at: str
    opened_at: Instant
    closed_at: Instant | None


class NoticePage(msgspec.Struct, frozen=True, kw_only=True):
    """Some notices: those that are open first, the newest first."""

    items: list[NoticeShown]
    next: Cursor | None = None


class _Place(NamedTuple):
    is_closed: bool
    before: int
    kind: str
    about: str


async def list_notices(call: Call[Any, NoticeListing, None]) -> Reply:
    """A page of them."""
    found = await notices_of(Notices(call.pool, nobody), call.project_id, closed=call.query.closed)
    rows, following = page_of(found, call.query.cursor, call.query.limit, _place, _Place)
    return Reply(NoticePage(items=msgspec.convert(rows, list[NoticeShown], from_attributes=True), next=following))


def _place(one: ShownNotice) -> _Place:
    return _Place(one.closed_at is not None, -ticks(one.opened_at), one.kind, one.about)


ROUTES: tuple[Route, ...] = (
    Route(
        "GET", "/notices", "notices:read", "List what waits for a person", list_notices, {200: NoticePage},
        query_type=NoticeListing,
    ),
)  # fmt: skip
