"""`/p/<project>/imports`: files of codes and customers that were handed in, how far each is, and what was wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from console.control import imports
from console.web.lists import Asked, Field, Found, Listing, page_of
from console.web.pages import FieldProblem
from console.web.project_campaigns import ImportRow, ImportsPage, ShownImportProblem
from console.web.projects import ProjectRoute, ProjectVisit, campaign_path
from console.web.words import inert, share
from schemas.access import Permission, may
from store.imports import ImportProblem
from store.imports import ImportRow as Stored

_OPEN = ("waiting", "checking", "adding")
_PROBLEMS = 10


async def _find(asked: Asked) -> Found[ImportRow]:
    """A page of them, the newest first. Raises BadQuestion, TryLater."""
    mine, after = asked.mine, asked.place_in_time()
    of = asked.get("kind"), asked.get("campaign")
    found = await imports.listed(mine.pool, mine.project_id, asked.limit + 1, after, *of)  # type: ignore[arg-type]
    rows, following = page_of(found, asked.limit, lambda one: (one.created_at, one.import_id))
    return Found([row_of(mine, one) for one in rows], following)


async def cancel(mine: ProjectVisit) -> web.Response:
    """Have no more of one added."""
    form = await mine.visit.form()
    identity = form.get("import", "").strip()
    if not identity or "\0" in identity:
        return await LIST.respond(mine, [FieldProblem("main", "Choose the import to cancel")])
    try:
        await imports.cancel(mine.pool, mine.project_id, identity, actor=mine.actor)
    except imports.ImportOver as error:
        return await LIST.respond(mine, [FieldProblem("main", inert(error))])
    return LIST.back(mine, form, canceled="1")


def row_of(mine: ProjectVisit, one: Stored) -> ImportRow:
    """An import as tables show it."""
    path = campaign_path(mine.project_id, one.campaign_id) if one.campaign_id else None
    return ImportRow(
        one.import_id, one.kind, one.campaign_id, path, one.state, _share(one), one.rows, one.rows_read, one.added,
        one.in_project + one.in_file, one.wrong, [problem_of(problem) for problem in one.problems[:_PROBLEMS]], one.why,
        one.created_by, one.created_at, one.ended_at, one.state in _OPEN,
    )  # fmt: skip


def _share(one: Stored) -> str:
    """The share that is done: of its bytes while it is looked through, of its rows while they are added."""
    if one.state == "checking":
        return f"{share(one.bytes_read / one.bytes)} looked through" if one.bytes else ""
    if one.state == "adding":
        return f"{share(one.rows_read / one.rows)} done" if one.rows else ""
    return ""


def problem_of(one: ImportProblem) -> ShownImportProblem:
    """A problem with its field in front."""
    of = f"{one.field}: " if one.field else ""
    return ShownImportProblem(one.line, of + one.detail)


def _more(mine: ProjectVisit) -> Mapping[str, Any]:
    note = "It is not gone on with; what was added stays." if mine.query.get("canceled") == "1" else ""
    if mine.query.get("began"):
        note = "It is handed in. Its state below says how far it is."
    writes: tuple[tuple[str, Permission], ...] = (("codes", "campaigns:write"), ("customers", "customers:write"))
    kinds = [kind for kind, asks in writes if may(mine.role, asks)]
    return {"may_cancel": may(mine.role, "imports:cancel"), "hands_in": kinds, "note": note}


LIST = Listing(
    path="/imports",
    permission="imports:read",
    row=ImportRow,
    find=_find,
    page=ImportsPage,
    is_live=True,
    fields=(
        Field("kind", "Of", {"codes": "codes", "customers": "customers"}),
        Field("campaign", "For the campaign", hint="its id"),
    ),
    more=_more,
    unsaid=frozenset({"campaign_path", "problems", "is_open", "share"}),
)
ROUTES: tuple[ProjectRoute, ...] = (*LIST.routes, ProjectRoute("/imports/cancel", "imports:cancel", cancel, "POST"))
