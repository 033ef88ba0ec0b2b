"""`/p/<project>/sends`: sends by hand and backfills, and a new one, drawn up before it is confirmed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from console.control import sends
from console.web.lists import Asked as ListAsked
from console.web.lists import Field, Found, Listing, page_of
from console.web.pages import FieldProblem, respond, see
from console.web.project_sends import NewSendPage, SendListRow, SendsPage, send_form
from console.web.projects import ProjectRoute, ProjectVisit, base_of, distribution_path, send_path
from console.web.send_forms import (
    MOST_BYTES,
    Asked,
    FormWrong,
    offered_distributions,
    offered_segments,
    times,
    told,
)
from console.web.words import inert
from schemas.access import may
from schemas.closed import SendStatus, members
from schemas.errors import DefinitionInvalid, TidingsError, TryLater
from store.send_rows import SendRow

_KEY_BYTES = 16
NEW = "/sends/new"


async def _find(asked: ListAsked) -> Found[SendListRow]:
    """A page of them. Raises BadQuestion, TryLater."""
    mine, after = asked.mine, asked.place_in_time()
    status: Any = asked.get("status")
    found = await sends.listed(mine.pool, mine.project_id, asked.limit + 1, status, after)
    rows, following = page_of(found, asked.limit, lambda one: (one.created_at, one.send_id))
    return Found([_row(mine, one) for one in rows], following)


def _row(mine: ProjectVisit, one: SendRow) -> SendListRow:
    return SendListRow(
        one.send_id, one.distribution_id, distribution_path(mine.project_id, one.distribution_id), one.status,
        one.to.segment or "a list", one.backfill or "", one.audience, one.emitted, one.starts_at,
        one.waits_for if one.is_open else "", one.created_by, one.created_at, send_path(mine.project_id, one.send_id),
    )  # fmt: skip


async def ask(mine: ProjectVisit) -> web.Response:
    """The form of a new one, with the distribution that the address names. Raises TryLater."""
    return await _form(mine, {**send_form(), "distribution": mine.text("distribution")})


async def draw_up(mine: ProjectVisit) -> web.Response:
    """Draw it up: of the same form sent twice one send. Nothing goes out before that is confirmed. Raises TryLater."""
    asked = Asked(mine, await mine.visit.posted(MOST_BYTES))
    try:
        made = await _drawn_up(mine, asked)
    except FormWrong as error:
        return await _form(mine, asked.given, error.problems)
    except DefinitionInvalid as error:
        return await _form(mine, asked.given, told(error))
    except TryLater:
        raise
    except TidingsError as error:
        name = "segment" if getattr(error, "kind", "") == "segment" else "distribution"
        return await _form(mine, asked.given, [FieldProblem(name, inert(error))])
    return see(send_path(mine.project_id, made.send_id))


async def _drawn_up(mine: ProjectVisit, asked: Asked) -> SendRow:
    if not asked.given["distribution"] or "\0" in asked.given["distribution"]:
        asked.wrong("distribution", "is missing: the id of one that is sent by hand")
    to, when, hold = asked.recipients(), asked.when(), asked.hold()
    if to is None and not asked.problems:
        asked.wrong("customers", "is missing: say to whom, by their ids, a file of them, or a segment")
    asked.check()
    if to is None or when is None:
        raise FormWrong([FieldProblem("when", "When: say when it is to begin")])
    hold = mine.context.send_hold if hold is None else hold
    return await sends.draft(
        mine.pool, mine.context, asked.given["distribution"], to, when, hold,
        actor=mine.actor, now=mine.now, once=asked.once(),
    )  # fmt: skip


async def _form(mine: ProjectVisit, given: Mapping[str, str], problems: Sequence[FieldProblem] = ()) -> web.Response:
    page = NewSendPage(
        here=f"{base_of(mine.project_id)}{LIST.path}",
        path=f"{base_of(mine.project_id)}{NEW}",
        problems=problems,
        distributions=await offered_distributions(mine),
        segments=await offered_segments(mine),
        times=times(mine),
        given={**given, "key": given["key"] or mine.visit.random(_KEY_BYTES).hex()},
        **mine.frame,
    )
    return respond(page, 422 if problems else 200)


def _more(mine: ProjectVisit) -> Mapping[str, Any]:
    note = "The draft is gone; nothing was sent." if mine.query.get("discarded") == "1" else ""
    return {"may_write": may(mine.role, "sends:write"), "note": note}


LIST = Listing(
    path="/sends", permission="sends:read", row=SendListRow, find=_find, page=SendsPage, more=_more, is_live=True,
    fields=(Field("status", "State", {one: one.lower() for one in members(SendStatus)}),),
    unsaid=frozenset({"path", "distribution_path"}),
)  # fmt: skip
ROUTES: tuple[ProjectRoute, ...] = (
    *LIST.routes,
    ProjectRoute(NEW, "sends:write", ask),
    ProjectRoute(NEW, "sends:write", draw_up, "POST"),
)
