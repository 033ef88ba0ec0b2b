"""`/p/<project>/users`: who may sign in here, in which role; some are kept from it, and let in again."""

from __future__ import annotations

from aiohttp import web

from console.control import users
from console.web.lists import Asked, Found, Listing, slice_of
from console.web.pages import FieldProblem
from console.web.project_settings import UserRow, UsersPage
from console.web.projects import ProjectRoute, ProjectVisit
from console.web.words import inert
from schemas.errors import TidingsError, TryLater
from store.users import Member, Users

_STEPS = {"disable": users.disable, "enable": users.enable}


async def _find(asked: Asked) -> Found[UserRow]:
    """A page of them, those who were there first in front. Raises BadQuestion, TryLater."""
    mine = asked.mine
    found = await users.listed(Users(mine.pool), mine.project_id)
    rows, following = slice_of(found, asked, _place, tuple[int, str])
    return Found([_row(mine, one) for one in rows], following)


def _place(one: Member) -> tuple[int, str]:
    return round(one.granted_at.timestamp() * 1_000_000), one.user_id


def _row(mine: ProjectVisit, one: Member) -> UserRow:
    is_self = one.user_id == mine.visit.signed_in.session.user_id
    return UserRow(
        one.user_id, one.email, one.display_name or "", one.role, one.state, one.granted_by, one.granted_at,
        one.last_signed_in_at, is_self,
    )  # fmt: skip


async def change(mine: ProjectVisit) -> web.Response:
    """Keep somebody from signing in, or let them in again. Raises TryLater."""
    form = await mine.visit.form()
    named, step = form.get("user", "").strip(), _STEPS.get(form.get("step", ""))
    try:
        if step is None or not named or "\0" in named:
            raise TidingsError("choose what to do with whom")
        await step(Users(mine.pool), mine.project_id, named, actor=mine.actor)
    except TryLater:
        raise
    except TidingsError as error:
        return await LIST.respond(mine, [FieldProblem("main", inert(error))])
    return LIST.back(mine, form)


LIST = Listing(
    path="/users", permission="users:manage", row=UserRow, find=_find, page=UsersPage, unsaid=frozenset({"is_self"}),
)  # fmt: skip
ROUTES: tuple[ProjectRoute, ...] = (*LIST.routes, ProjectRoute("/users", "users:manage", change, "POST"))
