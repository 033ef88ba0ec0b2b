"""`/p/<project>/accounts`: accounts at providers without anything secret; some may pause one, resume it, and try it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from console.control import accounts as control
from console.control.not_found import NotFound
from console.web.lists import Asked, Found, Listing, slice_of
from console.web.pages import FieldProblem
from console.web.project_settings import AccountRow, AccountsPage
from console.web.projects import ProjectRoute, ProjectVisit
from console.web.words import inert
from schemas.access import may
from schemas.errors import DefinitionInvalid, TidingsError, TryLater
from store.accounts import Accounts

_STEPS = {"pause": control.pause, "resume": control.resume, "remove": control.remove}


async def _find(asked: Asked) -> Found[AccountRow]:
    """A page of them, in the order of their names. Raises BadQuestion, TryLater."""
    mine = asked.mine
    found = await control.shown(Accounts(mine.pool), mine.wiring.settings, mine.project_id)
    rows, following = slice_of(found, asked, lambda one: one.account, str)
    shown = [AccountRow(one.account, one.state, one.kept_in, one.changed_at, one.changed_by) for one in rows]
    return Found(shown, following)


async def change(mine: ProjectVisit) -> web.Response:
    """Hold what is for one, send what waits for it, or forget what it holds. Raises TryLater."""
    form = await mine.visit.form()
    named, step = form.get("account", "").strip(), _STEPS.get(form.get("step", ""))
    try:
        if step is None or "\0" in named:
            raise TidingsError("choose what to do with which account")
        await step(Accounts(mine.pool), control.account_key(mine.project_id, named), actor=mine.actor)
    except TryLater:
        raise
    except DefinitionInvalid as error:
        return await LIST.respond(mine, [FieldProblem("main", inert(one.message)) for one in error.problems])
    except TidingsError as error:
        return await LIST.respond(mine, [FieldProblem("main", inert(error))])
    return LIST.back(mine, form)


async def check(mine: ProjectVisit) -> web.Response:
    """Log in at the provider of one, without a message, and say what came of it. Raises NotFound, TryLater."""
    named = (await mine.visit.form()).get("account", "").strip()
    try:
        if "\0" in named:
            raise TidingsError("choose the account to try")
        key = control.account_key(mine.project_id, named)
        found = await control.check(Accounts(mine.pool), mine.wiring.settings, key)
    except (NotFound, TryLater):
        raise
    except DefinitionInvalid as error:
        return await LIST.respond(mine, [FieldProblem("main", inert(one.message)) for one in error.problems])
    except TidingsError as error:
        return await LIST.respond(mine, [FieldProblem("main", inert(error))])
    said = f"{named}: {inert(found.said)}"
    return await (LIST.respond(mine, note=said) if found.is_well else LIST.respond(mine, [FieldProblem("main", said)]))


def _more(mine: ProjectVisit) -> Mapping[str, Any]:
    return {"may_write": may(mine.role, "accounts:write")}


LIST = Listing(
    path="/accounts", permission="accounts:read", row=AccountRow, find=_find, page=AccountsPage, more=_more,
)  # fmt: skip
ROUTES: tuple[ProjectRoute, ...] = (
    *LIST.routes,
    ProjectRoute("/accounts", "accounts:write", change, "POST"),
    ProjectRoute("/accounts/check", "accounts:write", check, "POST"),
)
