"""`/p/<project>/users`: who may sign in here, in which role, and what is done about that."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from console.control import users
from console.control.user_links import address_of_link
from console.control.users import NewUser
from console.web.lists import Asked, Found, Listing, slice_of
from console.web.pages import FieldProblem
from console.web.project_settings import UserRow, UsersPage, invitation_form
from console.web.projects import ProjectRoute, ProjectVisit
from console.web.words import inert
from schemas.access import ACCESS_ROLES
from schemas.errors import DefinitionInvalid, TidingsError, TryLater
from schemas.formats.cursors import ticks
from store.users import Member, Users

_STEPS: Mapping[str, Callable[..., Awaitable[Member]]] = {
    "disable": users.disable, "enable": users.enable, "remove": users.remove,
}  # fmt: skip


async def _find(asked: Asked) -> Found[UserRow]:
    """A page of them, those who were there first in front. Raises BadQuestion, TryLater."""
    mine = asked.mine
    found = await users.listed(Users(mine.pool), mine.project_id)
    rows, following = slice_of(found, asked, _place, tuple[int, str])
    return Found([_row(mine, one) for one in rows], following)


def _place(one: Member) -> tuple[int, str]:
    return ticks(one.granted_at), one.user_id


def _row(mine: ProjectVisit, one: Member) -> UserRow:
    is_self = one.user_id == mine.visit.signed_in.session.user_id
    return UserRow(
        one.user_id, one.email, one.display_name or "", one.role, one.state, one.granted_by, one.granted_at,
        one.last_signed_in_at, is_self,
    )  # fmt: skip


async def invite(mine: ProjectVisit) -> web.Response:
    """Invite somebody, and show the link: in this answer alone. Raises TryLater."""
    form = await mine.visit.form()
    given = {name: form.get(name, "").strip() for name in invitation_form()}
    new = NewUser(mine.project_id, given["email"], given["display_name"], given["role"])
    try:
        made = await users.invite(Users(mine.pool), new, mine.visit.random, actor=mine.actor)
    except DefinitionInvalid as error:
        problems = [FieldProblem(one.path, f"{_LABELS[one.path]}: {one.message}") for one in error.problems]
        return await LIST.respond(mine, problems, given=given)
    except TryLater:
        raise
    except TidingsError as error:
        return await LIST.respond(mine, [FieldProblem("email", inert(error))], given=given)
    link = address_of_link(mine.wiring.settings.web.url, made.token)
    return await LIST.respond(mine, link=link, until=made.expires_at)


async def change(mine: ProjectVisit) -> web.Response:
    """Keep somebody from signing in, let them in again, give another role, or take them out. Raises TryLater."""
    form = await mine.visit.form()
    named, step = form.get("user", "").strip(), form.get("step", "")
    try:
        if not named or "\0" in named:
            raise TidingsError("choose what to do with whom")
        if step == "role":
            await users.change_role(Users(mine.pool), mine.project_id, named, form.get("role", ""), actor=mine.actor)
        elif step == "reset":
            return await _reset(mine, named)
        elif step in _STEPS:
            await _STEPS[step](Users(mine.pool), mine.project_id, named, actor=mine.actor)
        else:
            raise TidingsError("choose what to do with whom")
    except DefinitionInvalid as error:
        said = [f"{_LABELS.get(one.path, one.path)}: {inert(one.message)}" for one in error.problems]
        return await LIST.respond(mine, [FieldProblem("main", one) for one in said])
    except TryLater:
        raise
    except TidingsError as error:
        return await LIST.respond(mine, [FieldProblem("main", inert(error))])
    return LIST.back(mine, form)


async def _reset(mine: ProjectVisit, named: str) -> web.Response:
    """Let somebody set a new password, and show the link: in this answer alone."""
    made = await users.allow_reset(Users(mine.pool), mine.project_id, named, mine.visit.random, actor=mine.actor)
    link = address_of_link(mine.wiring.settings.web.url, made.token)
    return await LIST.respond(mine, link=link, until=made.expires_at)


_LABELS: Mapping[str, str] = {"email": "E-mail address", "display_name": "Name", "role": "Role"}
_MORE: Mapping[str, Any] = {"roles": [(one, one) for one in ACCESS_ROLES]}
LIST = Listing(
    path="/users", permission="users:manage", row=UserRow, find=_find, page=UsersPage, more=lambda _: _MORE,
    unsaid=frozenset({"is_self"}),
)  # fmt: skip
ROUTES: tuple[ProjectRoute, ...] = (
    *LIST.routes,
    ProjectRoute("/users", "users:manage", change, "POST"),
    ProjectRoute("/users/invite", "users:manage", invite, "POST"),
)
