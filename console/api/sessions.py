"""Sessions of users of the key's project over the API: list, and end. A key has none: one's own are on the pages."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from console.api.pages import page_of
from console.api.route import ById, Call, Cursor, Instant, Name, Paged, Reply, Route, Writing
from console.control import sessions
from schemas.access import Permission
from schemas.formats.cursors import ticks
from store.sessions import Session, Sessions
from store.users import Users


class OneSession(ById, frozen=True, kw_only=True):
    """The parameters of a path that names a session of a user."""

    session: Name


class UserSession(msgspec.Struct, frozen=True, kw_only=True):
    """A place where a user is signed in: `session_id` proves nothing."""

    session_id: str
    began_at: Instant
    used_at: Annotated[Instant, Meta(description="To the minute.")]
    ends_at: Annotated[Instant, Meta(description="At the latest.")]
    network: str
    agent: Annotated[str, Meta(description="What the browser says of itself, shortened.")]


class SessionPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some sessions that are not over, the newest first."""

    items: list[UserSession]
    next: Cursor | None = None


class EndedSessions(msgspec.Struct, frozen=True, kw_only=True):
    """So many sessions that are over, or would be."""

    user_id: str
    ended: int
    dry_run: bool


async def list_sessions(call: Call[ById, Paged, None]) -> Reply:
    """A page of them."""
    found = await sessions.of_user(Users(call.pool), _sessions(call), call.project_id, call.path.id)
    rows, following = page_of(found, call.query.cursor, call.query.limit, _place, tuple[int, str])
    return Reply(SessionPage(items=msgspec.convert(rows, list[UserSession], from_attributes=True), next=following))


async def end_sessions(call: Call[ById, Writing, None]) -> Reply:
    """End all of a user."""
    return await _end(call, None)


async def end_session(call: Call[OneSession, Writing, None]) -> Reply:
    """End one of a user."""
    return await _end(call, call.path.session)


async def _end(call: Call[Any, Writing, None], session_id: str | None) -> Reply:
    users, named, dry_run = Users(call.pool), call.path.id, call.query.dry_run
    ended = await sessions.end(
        users, _sessions(call), call.project_id, named, session_id, actor=call.actor, dry_run=dry_run
    )
    return Reply(EndedSessions(user_id=named, ended=ended, dry_run=dry_run))


def _sessions(call: Call[Any, Any, None]) -> Sessions:
    return sessions.sessions_by(call.wiring.settings.web, call.pool)


def _place(one: Session) -> tuple[int, str]:
    return -ticks(one.began_at), one.session_id


_ONE = {"id": "usr_0123456789abcdef"}
_MANAGE: Permission = "users:manage"

ROUTES: tuple[Route, ...] = (
    Route(
        "GET", "/users/{id}/sessions", _MANAGE, "List where a user of this project alone is signed in", list_sessions,
        {200: SessionPage}, path_type=ById, query_type=Paged, path_example=_ONE,
    ),
    Route(
        "DELETE", "/users/{id}/sessions", _MANAGE, "Sign a user of this project alone out everywhere", end_sessions,
        {200: EndedSessions}, path_type=ById, query_type=Writing, path_example=_ONE,
    ),
    Route(
        "DELETE", "/users/{id}/sessions/{session}", _MANAGE, "End one session of a user of this project alone",
        end_session, {200: EndedSessions}, path_type=OneSession, query_type=Writing,
        path_example={**_ONE, "session": "ses_0123456789abcdef"},
    ),
)  # fmt: skip
