"""`/p/<project>/campaigns`: campaigns with what is left of their codes, and one of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec
from aiohttp import web

from console.control import campaigns, codes, imports
from console.control.campaigns import CampaignSummary, has_codes
from console.control.document_texts import written
from console.web.imports import row_of
from console.web.lists import Asked, Field, Found, Listing, slice_of
from console.web.pages import FieldProblem, respond, see
from console.web.project_campaigns import CampaignPage, CampaignRow, CampaignsPage, ShownCodes
from console.web.projects import ProjectRoute, ProjectVisit, base_of, campaign_path, named_routes
from console.web.tables import address
from console.web.visit import whole_number
from console.web.words import count_of, exact, inert
from schemas.access import may
from schemas.campaign import Campaign
from schemas.errors import TidingsError, TryLater
from schemas.formats.durations import format_duration
from store.imports import MOST_OPEN

MOST_MADE = 50_000
"""Codes of one request: some ten seconds."""
_DIGITS = len(str(MOST_MADE))
_UNSAID = ("id", "project_id", "version", "created_at", "updated_at")


async def _find(asked: Asked) -> Found[CampaignRow]:
    """A page of them, in the order of their ids. Raises BadQuestion, TryLater."""
    mine, sought = asked.mine, (asked.get("q") or "").lower()
    every = await campaigns.listed(mine.pool, mine.project_id, mine.now)
    fit = [
        one
        for one in every
        if sought in one.campaign.id.lower() or sought in one.campaign.name.lower()
        if not asked.get("codes") or one.is_low
    ]
    rows, following = slice_of(fit, asked, lambda one: one.campaign.id, str)
    return Found([_row(mine, one) for one in rows], following)


def _row(mine: ProjectVisit, one: CampaignSummary) -> CampaignRow:
    made = one.campaign
    return CampaignRow(
        made.id, made.name, made.kind, made.type if has_codes(made) else "", state_of(made, mine.now), one.left,
        one.is_low, made.start_date, made.expiration_date, campaign_path(mine.project_id, made.id),
    )  # fmt: skip


def state_of(campaign: Campaign, now: datetime) -> str:
    """The state of a campaign in a word."""
    if not campaign.active:
        return "inactive"
    if campaign.start_date and campaign.start_date > now:
        return "not started"
    return "ended" if campaign.expiration_date and campaign.expiration_date <= now else "live"


async def show_one(mine: ProjectVisit) -> web.Response:
    """One of them. Raises NotFound, TryLater."""
    return await _page(mine)


async def make(mine: ProjectVisit) -> web.Response:
    """Make codes of its pattern ahead of time. Raises NotFound, TryLater."""
    form = await mine.visit.form()
    identity, text = mine.text("id") or form.get("id", ""), form.get("count", "").strip()
    try:
        wanted = whole_number(text, _DIGITS) or 0
        if not 0 < wanted <= MOST_MADE:
            raise TidingsError(f"must be a number from 1 to {MOST_MADE:,}")
        made = await codes.generate(mine.pool, mine.project_id, identity, wanted, actor=mine.actor, now=mine.now)
    except TryLater:
        raise
    except TidingsError as error:
        return await _page(mine, [FieldProblem("count", f"Codes: {inert(error)}")], text, identity)
    return see(address(campaign_path(mine.project_id, identity), {"made": str(made)}))


async def _page(
    mine: ProjectVisit, problems: Sequence[FieldProblem] = (), count: str = "", identity: str = ""
) -> web.Response:
    found = await campaigns.find(mine.pool, mine.project_id, identity or mine.text("id"))
    of, counted, handed_in = (mine.pool, mine.project_id), [], []
    if has_codes(found):
        counted = await codes.count(*of, found.id, mine.now)
        handed_in = await imports.listed(*of, MOST_OPEN, None, "codes", found.id)
    made = whole_number(mine.query.get("made", ""), _DIGITS)
    page = CampaignPage(
        title=inert(found.name),
        here=f"{base_of(mine.project_id)}/campaigns",
        problems=problems,
        path=campaign_path(mine.project_id, found.id),
        campaign=found.id,
        status=state_of(found, mine.now),
        version=found.version,
        sentences=list(_sentences(mine, found)),
        codes=_codes(counted[0]) if counted else None,
        imports=[row_of(mine, one) for one in handed_in],
        may_cancel=may(mine.role, "imports:cancel"),
        may_make=found.code_config is not None and may(mine.role, "campaigns:write"),
        most_made=MOST_MADE,
        count=count,
        note="" if made is None else f"Made: {count_of(made, 'code')}.",
        document=_document(found),
        **mine.frame,
    )
    return respond(page, 422 if problems else 200)


def _codes(one: Any) -> ShownCodes:
    return ShownCodes(
        one.total, one.free, one.published, one.inactive, one.expired, one.left, one.low_water, one.capacity, one.is_low
    )  # fmt: skip


def _sentences(mine: ProjectVisit, one: Campaign) -> Iterator[str]:
    zone = mine.context.zone
    if has_codes(one):
        grows = (
            "codes are made of its pattern as they are needed" if one.type == "AUTO_UPDATE" else "its codes are given"
        )
        yield f"A campaign of {one.kind}: {grows}, each to one customer alone."
    else:
        yield f"A campaign of {one.kind}: it gives no codes."
    if one.start_date:
        yield f"It starts on {exact(one.start_date, zone)}."
    if one.expiration_date:
        yield f"It ends on {exact(one.expiration_date, zone)}."
    if one.valid_for:
        yield f"A code holds for {format_duration(one.valid_for)} from when it is published."
    if one.join_once:
        yield "A customer gets one code of it, and no other later."


def _document(one: Campaign) -> str:
    values = {name: value for name, value in msgspec.to_builtins(one).items() if name not in _UNSAID}
    return written(
        {"campaign": one.id, **{name: value for name, value in values.items() if value not in (None, [], {}, ())}}
    )


LIST = Listing(
    path="/campaigns",
    permission="campaigns:read",
    row=CampaignRow,
    find=_find,
    page=CampaignsPage,
    is_live=True,
    fields=(Field("q", "Id or name"), Field("codes", "Codes", {"low": "running low"})),
)
ROUTES: tuple[ProjectRoute, ...] = (
    *LIST.routes,
    *named_routes("campaign", "campaigns:read", show_one, is_live=True),
    ProjectRoute("/campaigns/{id}", "campaigns:write", make, "POST"),
    ProjectRoute("/campaign", "campaigns:write", make, "POST"),
)
