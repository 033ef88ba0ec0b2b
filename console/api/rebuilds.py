"""Read models made anew over HTTP: ask for it, see how far it is, cancel it.

They are of all projects, so that keys of the default project alone are answered.
"""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple

import msgspec

from console.api.operations import must_be_of_the_default_project
from console.api.pages import next_cursor, read_cursor
from console.api.route import ById, Call, Cursor, Instant, Nothing, Paged, Reply, Route, Writing
from console.control import rebuilds
from store.rebuilds import RebuildRow, RebuildState


class _After(NamedTuple):
    """The last rebuild that was shown."""

    created_at: Instant
    rebuild_id: str


class RebuiltDay(msgspec.Struct, frozen=True, kw_only=True):
    """A day that was made anew, and its rows."""

    day: date
    decisions: int
    statuses: int
    purchases: int


class ReadModelRebuild(msgspec.Struct, frozen=True, kw_only=True):
    """Read models made anew from the topics, while the old ones are read: day by day, each whole.

    Of `to_read` records, which the topics had when it began, `read` are read, and those that came since; `unreadable`
    are among the dead-letters. The days in `kept` stay as they were: the topics do not hold them whole. It waits for
    whoever reads a day, as `waits` says. Whoever takes it up after a crash begins from nothing, as `tries` counts; a
    day that was replaced by then stays so.
    """

    id: str
    state: RebuildState
    tries: int
    read: int
    to_read: int
    unreadable: int
    replaced: list[RebuiltDay]
    kept: list[date]
    waits: str
    why: str
    created_by: str
    canceled_by: str | None
    created_at: Instant
    started_at: Instant | None
    ended_at: Instant | None


class RebuildPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some rebuilds, newest first."""

    items: list[ReadModelRebuild]
    next: Cursor | None = None


class ChangedRebuild(msgspec.Struct, frozen=True, kw_only=True):
    """A rebuild after what was done, or would be by a dry run, of which nothing is kept."""

    rebuild: ReadModelRebuild
    dry_run: bool


async def post_rebuild(call: Call[Any, Writing, None]) -> Reply:
    """Ask for one, which is made afterwards."""
    must_be_of_the_default_project(call)
    dry_run = call.query.dry_run
    made = await rebuilds.begin(call.pool, call.project_id, actor=call.actor, dry_run=dry_run)
    reply = ChangedRebuild(rebuild=_rebuild(made), dry_run=dry_run)
    if dry_run:
        return Reply(reply)
    return Reply(reply, 202, {"location": f"/api/v1/read-models/rebuilds/{made.rebuild_id}"})


async def list_rebuilds(call: Call[Any, Paged, None]) -> Reply:
    """A page of them."""
    must_be_of_the_default_project(call)
    after, limit = read_cursor(call.query.cursor, _After), call.query.limit
    found = await rebuilds.listed(call.pool, limit + 1, after)
    rows, following = next_cursor(found, limit, lambda one: (one.created_at, one.rebuild_id))
    return Reply(RebuildPage(items=list(map(_rebuild, rows)), next=following))


async def get_rebuild(call: Call[ById, Nothing, None]) -> Reply:
    """One of them."""
    must_be_of_the_default_project(call)
    return Reply(_rebuild(await rebuilds.find(call.pool, call.path.id)))


async def cancel_rebuild(call: Call[ById, Writing, None]) -> Reply:
    """Have it end."""
    must_be_of_the_default_project(call)
    of, dry_run = (call.project_id, call.path.id), call.query.dry_run
    after = await rebuilds.cancel(call.pool, *of, actor=call.actor, dry_run=dry_run)
    return Reply(ChangedRebuild(rebuild=_rebuild(after), dry_run=dry_run))


def _rebuild(row: RebuildRow) -> ReadModelRebuild:
    return ReadModelRebuild(
        id=row.rebuild_id, state=row.state, tries=row.tries, read=row.read, to_read=row.to_read,
        unreadable=row.unreadable, replaced=msgspec.convert(row.replaced, list[RebuiltDay], from_attributes=True),
        kept=list(row.kept), waits=row.waits, why=row.why, created_by=row.created_by, canceled_by=row.cancel_by,
        created_at=row.created_at, started_at=row.started_at, ended_at=row.ended_at,
    )  # fmt: skip


_ID = {"id": "rebuild_1"}

ROUTES: tuple[Route, ...] = (
    Route(
        "POST", "/read-models/rebuilds", "read_models:rebuild",
        "Have the read models made anew from the topics: /read-models/rebuilds/{id} says how far it is", post_rebuild,
        {200: ChangedRebuild, 202: ChangedRebuild}, query_type=Writing,
    ),
    Route(
        "GET", "/read-models/rebuilds", "operations:read", "List rebuilds of the read models, newest first",
        list_rebuilds, {200: RebuildPage}, query_type=Paged,
    ),
    Route(
        "GET", "/read-models/rebuilds/{id}", "operations:read", "See how far a rebuild is", get_rebuild,
        {200: ReadModelRebuild}, path_type=ById, path_example=_ID,
    ),
    Route(
        "POST", "/read-models/rebuilds/{id}/cancel", "read_models:rebuild",
        "Have it end; days that were replaced stay so", cancel_rebuild, {200: ChangedRebuild}, path_type=ById,
        query_type=Writing, path_example=_ID,
    ),
)  # fmt: skip
