"""`/p/<project>/templates`: stored templates, who sends which version, and their files as they were written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from console.control import distributions, roll_out, templates
from console.control.templates import SentVersion, TemplateShown, TemplateSummary
from console.web.lists import Asked, Field, Found, Listing, slice_of
from console.web.pages import FieldProblem, respond, see
from console.web.project_settings import ShownTemplateVersion, ShownUse, TemplatePage, TemplateRow, TemplatesPage
from console.web.projects import ProjectRoute, ProjectVisit, base_of, distribution_path, named_routes, template_path
from console.web.tables import address
from console.web.visit import whole_number
from console.web.words import as_sentence, count_of, inert, segment
from schemas.access import Permission, may
from schemas.errors import BadQuestion, DefinitionInvalid, TidingsError, TryLater

_ACTS: Mapping[str, Permission] = {
    "edit": "templates:write", "delete": "templates:write", "roll_out": "distributions:set_live",
}  # fmt: skip


async def _find(asked: Asked) -> Found[TemplateRow]:
    """A page of them, in the order of their names. Raises BadQuestion, TryLater."""
    mine, sought = asked.mine, (asked.get("q") or "").lower()
    every = await templates.listed(mine.pool, mine.project_id)
    fit = [one for one in every if sought in one.template.lower() if not asked.get("sent") or one.older]
    rows, following = slice_of(fit, asked, lambda one: one.template, str)
    return Found([_row(mine, one) for one in rows], following)


def _row(mine: ProjectVisit, one: TemplateSummary) -> TemplateRow:
    return TemplateRow(
        one.template, one.version, one.format, one.locales, [use.distribution for use in one.used_by],
        [f"{use.distribution} (v{use.version})" for use in one.older], template_path(mine.project_id, one.template),
    )  # fmt: skip


async def show_one(mine: ProjectVisit) -> web.Response:
    """One of them, in its newest version or another. Raises NotFound, BadQuestion, TryLater."""
    return await _page(mine)


async def upgrade(mine: ProjectVisit) -> web.Response:
    """Give the newest version to each distribution that sends an older one. Raises NotFound, TryLater."""
    try:
        newest = (await templates.find(mine.pool, mine.project_id, mine.text("id"))).template
        await _must_be_newest(mine, newest.version)
        older = await templates.older_uses(mine.pool, mine.project_id, {newest.name: newest.version})
        plan = await roll_out.plan(mine.pool, older, {newest.name: newest}, mine.context, mine.now)
        await distributions.save(mine.pool, plan, mine.announce, actor=mine.actor, now=mine.now, keep=mine.lock())
    except DefinitionInvalid as error:
        return await _page(mine, [FieldProblem("main", inert(f"{one.path}: {one.message}")) for one in error.problems])
    except TryLater:
        raise
    except TidingsError as error:
        return await _page(mine, [FieldProblem("main", as_sentence(inert(error)))])
    return see(address(template_path(mine.project_id, newest.name), {"rolled": str(len(plan))}))


async def delete(mine: ProjectVisit) -> web.Response:
    """Forget its name, where nothing that is live or paused sends it. Raises NotFound, TryLater."""
    try:
        found = (await templates.find(mine.pool, mine.project_id, mine.text("id"))).template
        await _must_be_newest(mine, found.version)
        await templates.delete(mine.pool, mine.project_id, found.name, actor=mine.actor, now=mine.now, keep=mine.lock())
    except TryLater:
        raise
    except TidingsError as error:
        if getattr(error, "kind", ""):
            raise
        return await _page(mine, [FieldProblem("main", as_sentence(inert(error)))])
    return see(address(f"{base_of(mine.project_id)}{LIST.path}", {"deleted": "1"}))


async def _must_be_newest(mine: ProjectVisit, newest: int) -> None:
    """Raises TidingsError where the form is about another version."""
    if (await mine.visit.form()).get("version", "") != str(newest):
        raise TidingsError("this is not the version that you looked at: look again, nothing was done")


def _version(mine: ProjectVisit) -> int | None:
    written = mine.query.get("version", "")
    if not written:
        return None
    found = whole_number(written)
    if found is None:
        raise BadQuestion(f'"{inert(written[:40])}" is not a version: must be its number', "version")
    return found


async def _page(mine: ProjectVisit, problems: Sequence[FieldProblem] = ()) -> web.Response:
    name = mine.text("id")
    found = await templates.show(mine.pool, mine.project_id, name, None if problems else _version(mine))
    versions = await templates.history(mine.pool, mine.project_id, name)
    newest, summary = versions[0].version, found.summary
    uses = [
        ShownUse(one.distribution, one.version, distribution_path(mine.project_id, one.distribution))
        for one in summary.used_by
    ]
    older = [one.distribution for one in summary.used_by if one.version != newest]
    path = f"{base_of(mine.project_id)}/templates/{segment(summary.template)}"
    page = TemplatePage(
        title=f"Template {inert(summary.template)}", here=f"{base_of(mine.project_id)}/templates", problems=problems,
        name=summary.template, version=summary.version, format=summary.format, locales=summary.locales,
        applied_by=found.applied_by, applied_at=found.applied_at, uses=uses,
        versions=[_shown(mine, name, one, found) for one in versions], files=sorted(found.files.items()), path=path,
        frame=address(f"{path}/preview", {"version": str(summary.version)}), newest=newest, older=older,
        acts=frozenset(act for act, asks in _ACTS.items() if may(mine.role, asks)), note=_note(mine), **mine.frame,
    )  # fmt: skip
    return respond(page, 422 if problems else 200)


def _note(mine: ProjectVisit) -> str:
    """The sentence about what a form did: its numbers stand in the address."""
    said = {
        name: found for name in ("saved", "same", "rolled")
        if (found := whole_number(mine.query.get(name, ""))) is not None
    }  # fmt: skip
    if "saved" in said:
        return f"Version {said['saved']} is saved. What is sent goes on as it was until it is rolled out."
    if "same" in said:
        return "Nothing differs, so nothing was saved."
    if "rolled" in said:
        return f"Rolled out: {count_of(said['rolled'], 'distribution')} send the newest version from now on."
    return ""


def _shown(mine: ProjectVisit, name: str, one: SentVersion, found: TemplateShown) -> ShownTemplateVersion:
    return ShownTemplateVersion(
        one.version, one.applied_by, one.applied_at, one.sent_by,
        address(template_path(mine.project_id, name), {"version": str(one.version)}),
        one.version == found.summary.version,
    )  # fmt: skip


def _more(mine: ProjectVisit) -> Mapping[str, Any]:
    note = "Its name is free again; its versions are kept." if mine.query.get("deleted") == "1" else ""
    return {"may_write": may(mine.role, "templates:write"), "note": note}


LIST = Listing(
    path="/templates", permission="templates:read", row=TemplateRow, find=_find, page=TemplatesPage, more=_more,
    fields=(Field("q", "Name"), Field("sent", "Sent in", {"older": "an older version"}, "whichever version")),
)  # fmt: skip
ROUTES: tuple[ProjectRoute, ...] = (
    *LIST.routes,
    *named_routes("template", "templates:read", show_one),
    ProjectRoute("/templates/{id}/roll-out", "distributions:set_live", upgrade, "POST"),
    ProjectRoute("/templates/{id}/delete", "templates:write", delete, "POST"),
)
