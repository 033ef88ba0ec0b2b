"""`/p/<project>/segments`: segments with their members counted, one of them, and who is in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from aiohttp import web

from console.control import segment_drafts, segments
from console.control.document_texts import written
from console.web.lists import Asked, Field, Found, Listing, page_of
from console.web.pages import FieldProblem, respond
from console.web.project_segments import (
    MemberRow,
    MembersPage,
    SegmentPage,
    SegmentRow,
    SegmentsPage,
    ShownEvents,
    ShownUnjudged,
)
from console.web.projects import ProjectRoute, ProjectVisit, base_of, customer_path, named_routes, segment_path
from console.web.tables import address
from console.web.words import inert
from schemas.access import may
from schemas.segment import SegmentDefinition
from store.segments import SegmentSummary

_UNSAID = ("id", "project_id", "version", "updated_at")


async def _find(asked: Asked) -> Found[SegmentRow]:
    """A page of them, in the order of their ids. Raises BadQuestion, TryLater."""
    mine = asked.mine
    found = await segments.page(mine.pool, mine.project_id, asked.text_place(), asked.limit + 1)
    rows, following = page_of(found, asked.limit, lambda one: one.definition.id)
    return Found([_row(mine, one) for one in rows], following)


def edit_path(project_id: str, identity: str | None) -> str:
    """The address at which a segment is edited; None for a new one."""
    return f"{base_of(project_id)}/segments/new" if identity is None else _below(project_id, identity, "edit")


def _below(project_id: str, identity: str, step: str) -> str:
    path, _, query = segment_path(project_id, identity).partition("?")
    return f"{path}/{step}" + (f"?{query}" if query else "")


async def show_one(mine: ProjectVisit) -> web.Response:
    """One of them. Raises NotFound, TryLater."""
    return await page_of_one(mine)


async def page_of_one(
    mine: ProjectVisit, problems: Sequence[FieldProblem] = (), *, is_managed: bool = False
) -> web.Response:
    """One of them, with what is wrong with a form there. Raises NotFound, TryLater."""
    found = await segments.show(mine.pool, mine.project_id, mine.text("id"))
    rule = found.summary.definition
    page = SegmentPage(
        title=inert(rule.name),
        here=f"{base_of(mine.project_id)}/segments",
        segment=_row(mine, found.summary),
        reasons=[
            ShownUnjudged(one.customers, one.reason, one.customer_id, customer_path(mine.project_id, one.customer_id))
            for one in found.reasons
        ],
        events=[
            ShownEvents(one.events, one.topic, one.since, one.is_complete, one.records, one.of) for one in found.counts
        ],
        document=_document(rule),
        problems=problems,
        edit=edit_path(mine.project_id, rule.id) if await segment_drafts.is_written(mine.pool, rule) else None,
        remove=_below(mine.project_id, rule.id, "remove"),
        is_managed=is_managed,
        note="It is saved, and computed from now on." if mine.query.get("saved") == "1" else "",
        **mine.frame,
    )
    return respond(page, 422 if problems else 200)


async def _members(asked: Asked) -> Found[MemberRow]:
    """A page of who is in a segment, in the order of their ids. Raises NotFound, BadQuestion, TryLater."""
    mine, segment = asked.mine, asked.get("segment")
    if segment is None:
        return Found()
    found = await segments.members(mine.pool, mine.project_id, segment, asked.limit + 1, asked.text_place())
    rows, following = page_of(found, asked.limit, lambda one: one.customer)
    shown = [MemberRow(one.customer, one.since, customer_path(mine.project_id, one.customer)) for one in rows]
    return Found(shown, following)


def _row(mine: ProjectVisit, one: SegmentSummary) -> SegmentRow:
    rule = one.definition
    members = address(f"{base_of(mine.project_id)}{MEMBERS.path}", {"segment": rule.id})
    return SegmentRow(
        rule.id, rule.name, rule.kind, rule.version, one.members, one.unjudged, one.computed, one.is_computed,
        one.applied_at, segment_path(mine.project_id, rule.id), members,
    )  # fmt: skip


def _document(rule: SegmentDefinition) -> str:
    """The segment as it is judged by; of a static one its members stand in their list."""
    values = {name: value for name, value in msgspec.to_builtins(rule).items() if name not in _UNSAID}
    if rule.members is not None:
        values["members"] = f"{len(rule.members)} customers"
    return written({"segment": rule.id, **{name: value for name, value in values.items() if value is not None}})


def _more(mine: ProjectVisit) -> Mapping[str, Any]:
    named = mine.query.get("segment", "").strip()
    return {"segment": named, "segment_path": segment_path(mine.project_id, named) if named else None}


def _list_more(mine: ProjectVisit) -> Mapping[str, Any]:
    note = "It is forgotten, and who was in it." if mine.query.get("removed") == "1" else ""
    return {"may_write": may(mine.role, "segments:write"), "note": note}


LIST = Listing(
    path="/segments", permission="segments:read", row=SegmentRow, find=_find, page=SegmentsPage,
    more=_list_more, unsaid=frozenset({"path", "members_path"}), is_live=True,
)  # fmt: skip
MEMBERS = Listing(
    path="/members", permission="segments:read", row=MemberRow, find=_members, page=MembersPage,
    fields=(Field("segment", "Segment"),), more=_more,
)  # fmt: skip
ROUTES: tuple[ProjectRoute, ...] = (
    *LIST.routes,
    *named_routes("segment", "segments:read", show_one, is_live=True),
    *MEMBERS.routes,
)
