"""The audit log over HTTP: listed, for those who answer for what was changed."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from console.api.pages import next_cursor, read_cursor
from console.api.route import Call, Cursor, Instant, Moment, Name, Paged, Reply, Route
from console.control import audit
from console.control.audit import Asked
from store.audit import AuditLog, Chained

_FROM_ON = "From a time, a day, or a span before now such as 3d."
_BEFORE = "Before a time, a day, or a span before now."


class AuditListing(Paged, frozen=True, kw_only=True):
    """The rows that are wanted: all that every given field fits."""

    thing: Annotated[Name | None, Meta(description="Of the thing with this id.")] = None
    actor: Annotated[Name | None, Meta(description="By this user, or key:NAME.")] = None
    action: Annotated[Name | None, Meta(description="As in distribution.paused, or a noun for all of its own.")] = None
    since: Annotated[Moment | None, Meta(description=_FROM_ON)] = None
    until: Annotated[Moment | None, Meta(description=_BEFORE)] = None


class AuditedChange(msgspec.Struct, frozen=True, kw_only=True):
    """A change: who did what to which thing, and what differs; of a request its id, its key and where it came from."""

    position: int
    at: Instant
    actor: str
    action: str
    thing: str
    version: int | None
    change: dict[str, Any]
    request_id: str | None
    key_id: str | None
    address: str | None
    hash: str


class AuditPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some rows, the newest first."""

    items: list[AuditedChange]
    next: Cursor | None = None


async def list_audit(call: Call[Any, AuditListing, None]) -> Reply:
    """A page of the log."""
    query, project = call.query, await call.project()
    asked = Asked(query.thing, query.actor, query.action, query.since, query.until)
    chosen = audit.read_filter(call.project_id, project.zone, call.now, asked)
    before = read_cursor(query.cursor, int)
    found = await audit.page(AuditLog(call.pool), chosen, query.limit + 1, before)
    rows, following = next_cursor(found, query.limit, lambda one: one.row.position)
    return Reply(AuditPage(items=[_shown(one) for one in rows], next=following))


def _shown(one: Chained) -> AuditedChange:
    row = one.row
    return AuditedChange(
        position=row.position, at=row.at, actor=row.actor, action=row.action, thing=row.thing, version=row.version,
        change=msgspec.json.decode(row.change), request_id=row.request_id, key_id=row.key_id, address=row.address,
        hash=one.hash.hex(),
    )  # fmt: skip


ROUTES: tuple[Route, ...] = (
    Route(
        "GET", "/audit", "audit:read", "List who changed what, the newest first", list_audit, {200: AuditPage},
        query_type=AuditListing,
    ),
)  # fmt: skip
