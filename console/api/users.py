"""Users of the key's project over the API: list, read, invite, change the role, disable, remove.

A link is shown in one reply alone. Of a user's other projects nothing is said.
"""

from __future__ import annotations

import secrets
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from console.api.pages import page_of
from console.api.route import PRIVATE, ById, Call, Cursor, Instant, Paged, Reply, Route, Writing
from console.control import users
from console.control.user_links import address_of_link
from console.control.users import Invited, NewUser
from schemas.access import AccessRole, Permission
from schemas.formats.cursors import ticks
from schemas.user import MemberState
from store.users import Member, Users

_NOT_KEPT = {"cache-control": "no-store"}
_SHOWN = "Of who is invited and has not come yet null."


class UserOfProject(msgspec.Struct, frozen=True, kw_only=True):
    """A user of the project: the role here, and whether they may sign in."""

    user_id: str
    email: str
    display_name: Annotated[str | None, Meta(description=_SHOWN)]
    role: AccessRole
    state: MemberState
    granted_by: str
    granted_at: Instant
    accepted_at: Instant | None
    last_signed_in_at: Annotated[Instant | None, Meta(description=_SHOWN)]


class UserPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some users, those who were there first in front."""

    items: list[UserOfProject]
    next: Cursor | None = None


class AskedUser(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody to invite, or to invite again."""

    email: Annotated[str, Meta(max_length=320, description="By which they sign in.", extra=PRIVATE)]
    display_name: Annotated[str, Meta(max_length=100, description="As others see them.", extra=PRIVATE)]
    role: AccessRole


class AskedRole(msgspec.Struct, frozen=True, kw_only=True):
    """Another role."""

    role: AccessRole


class MadeLink(msgspec.Struct, frozen=True, kw_only=True):
    """A link that is used once, to be given to the user. `link` is there in the reply to the request that made it, and
    null in any other: whoever lost it asks for another, which ends this one. A dry run makes none.
    """

    link: Annotated[str | None, Meta(description="Without a host where `web.url` is not set.")]
    user_id: str | None
    expires_at: Instant | None
    dry_run: bool


class ChangedUser(msgspec.Struct, frozen=True, kw_only=True):
    """A user after a change, or as they would be."""

    user: UserOfProject
    dry_run: bool


class RemovedUser(msgspec.Struct, frozen=True, kw_only=True):
    """A user who is in the project no more."""

    user_id: str
    dry_run: bool


async def list_users(call: Call[Any, Paged, None]) -> Reply:
    """A page of them."""
    found = await users.listed(Users(call.pool), call.project_id)
    rows, following = page_of(found, call.query.cursor, call.query.limit, _place, tuple[int, str])
    return Reply(UserPage(items=[_shown(one) for one in rows], next=following))


async def get_user(call: Call[ById, Any, None]) -> Reply:
    """One of them."""
    return Reply(_shown(await users.read(Users(call.pool), call.project_id, call.path.id)))


async def invite_user(call: Call[Any, Writing, AskedUser]) -> Reply:
    """Invite somebody, and show the link."""
    asked, dry_run = call.body, call.query.dry_run
    new = NewUser(call.project_id, asked.email, asked.display_name, asked.role)
    made = await users.invite(Users(call.pool), new, secrets.token_bytes, actor=call.actor, dry_run=dry_run)
    return _link(call, made)


async def allow_reset(call: Call[ById, Writing, None]) -> Reply:
    """Make a link by which a new password is set."""
    made = await users.allow_reset(
        Users(call.pool), call.project_id, call.path.id, secrets.token_bytes, actor=call.actor,
        dry_run=call.query.dry_run,
    )  # fmt: skip
    return _link(call, made)


async def change_role(call: Call[ById, Writing, AskedRole]) -> Reply:
    """Give another role."""
    dry_run = call.query.dry_run
    changed = await users.change_role(
        Users(call.pool), call.project_id, call.path.id, call.body.role, actor=call.actor, dry_run=dry_run
    )
    return Reply(ChangedUser(user=_shown(changed), dry_run=dry_run))


async def disable_user(call: Call[ById, Writing, None]) -> Reply:
    """Keep somebody from signing in."""
    dry_run = call.query.dry_run
    changed = await users.disable(Users(call.pool), call.project_id, call.path.id, actor=call.actor, dry_run=dry_run)
    return Reply(ChangedUser(user=_shown(changed), dry_run=dry_run))


async def enable_user(call: Call[ById, Writing, None]) -> Reply:
    """Let somebody sign in again."""
    dry_run = call.query.dry_run
    changed = await users.enable(Users(call.pool), call.project_id, call.path.id, actor=call.actor, dry_run=dry_run)
    return Reply(ChangedUser(user=_shown(changed), dry_run=dry_run))


async def remove_user(call: Call[ById, Writing, None]) -> Reply:
    """Take somebody out of the project."""
    dry_run = call.query.dry_run
    gone = await users.remove(Users(call.pool), call.project_id, call.path.id, actor=call.actor, dry_run=dry_run)
    return Reply(RemovedUser(user_id=gone.user_id, dry_run=dry_run))


def _link(call: Call[Any, Writing, Any], made: Invited) -> Reply:
    if call.query.dry_run:
        return Reply(MadeLink(link=None, user_id=None, expires_at=None, dry_run=True))
    said = MadeLink(link=None, user_id=made.user_id, expires_at=made.expires_at, dry_run=False)
    link = address_of_link(call.wiring.settings.web.url, made.token)
    return Reply(said, 201, _NOT_KEPT, shown_once=msgspec.structs.replace(said, link=link))


def _shown(one: Member) -> UserOfProject:
    return msgspec.convert(one, UserOfProject, from_attributes=True)


def _place(one: Member) -> tuple[int, str]:
    return ticks(one.granted_at), one.user_id


_ONE = {"id": "usr_0123456789abcdef"}
_MANAGE: Permission = "users:manage"

ROUTES: tuple[Route, ...] = (
    Route("GET", "/users", _MANAGE, "List the users of the project", list_users, {200: UserPage}, query_type=Paged),
    Route(
        "POST", "/users", _MANAGE, "Invite somebody to the project: this reply alone shows the link", invite_user,
        {200: MadeLink, 201: MadeLink}, query_type=Writing, body=AskedUser,
        body_example={"email": "jo@example.com", "display_name": "Jo", "role": "editor"},
    ),
    Route(
        "GET", "/users/{id}", _MANAGE, "Read a user", get_user, {200: UserOfProject}, path_type=ById,
        path_example=_ONE,
    ),
    Route(
        "DELETE", "/users/{id}", _MANAGE, "Take a user out of the project", remove_user, {200: RemovedUser},
        path_type=ById, query_type=Writing, path_example=_ONE,
    ),
    Route(
        "PUT", "/users/{id}/role", _MANAGE, "Give a user another role in the project", change_role, {200: ChangedUser},
        path_type=ById, query_type=Writing, body=AskedRole, path_example=_ONE, body_example={"role": "viewer"},
    ),
    Route(
        "POST", "/users/{id}/disable", _MANAGE, "Keep a user of this project alone from signing in", disable_user,
        {200: ChangedUser}, path_type=ById, query_type=Writing, path_example=_ONE,
    ),
    Route(
        "POST", "/users/{id}/enable", _MANAGE, "Let a user of this project alone sign in again", enable_user,
        {200: ChangedUser}, path_type=ById, query_type=Writing, path_example=_ONE,
    ),
    Route(
        "POST", "/users/{id}/reset", _MANAGE,
        "Let a user of this project alone set a new password: this reply alone shows the link", allow_reset,
        {200: MadeLink, 201: MadeLink}, path_type=ById, query_type=Writing, path_example=_ONE,
    ),
)  # fmt: skip
