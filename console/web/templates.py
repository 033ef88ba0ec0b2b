"""`/p/<project>/templates`: stored templates, who sends which version, and their files as they were written."""

from __future__ import annotations

from urllib.parse import unquote

from aiohttp import web

from console.control import templates
from console.control.templates import SentVersion, TemplateShown, TemplateSummary
from console.web.lists import Asked, Field, Found, Listing, slice_of
from console.web.pages import respond
from console.web.project_settings import ShownTemplateVersion, ShownUse, TemplatePage, TemplateRow, TemplatesPage
from console.web.projects import ProjectRoute, ProjectVisit, base_of, distribution_path, named_routes, template_path
from console.web.tables import address
from console.web.words import inert
from schemas.errors import BadQuestion

_LAST_VERSION = 2**31 - 1


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
    name = mine.text("id")
    found = await templates.show(mine.pool, mine.project_id, name, _version(mine))
    versions = await templates.history(mine.pool, mine.project_id, name)
    return respond(_page(mine, found, [_shown(mine, name, one, found) for one in versions]))


def _version(mine: ProjectVisit) -> int | None:
    written = mine.query.get("version", "")
    if not written:
        return None
    if not (written.isascii() and written.isdigit() and len(written) < len(str(_LAST_VERSION))):
        raise BadQuestion(f'"{inert(written[:40])}" is not a version: must be its number', "version")
    return int(written)


def _page(mine: ProjectVisit, found: TemplateShown, versions: list[ShownTemplateVersion]) -> TemplatePage:
    summary = found.summary
    uses = [
        ShownUse(one.distribution, one.version, distribution_path(mine.project_id, one.distribution))
        for one in summary.used_by
    ]
    return TemplatePage(
        title=f"Template {inert(summary.template)}", here=f"{base_of(mine.project_id)}/templates",
        name=summary.template, version=summary.version, format=summary.format, locales=summary.locales,
        applied_by=found.applied_by, applied_at=found.applied_at, uses=uses, versions=versions,
        files=sorted(found.files.items()), **mine.frame,
    )  # fmt: skip


def _shown(mine: ProjectVisit, name: str, one: SentVersion, found: TemplateShown) -> ShownTemplateVersion:
    path, _, query = template_path(mine.project_id, name).partition("?")
    named = {"id": unquote(query.removeprefix("id="))} if query else {}
    return ShownTemplateVersion(
        one.version, one.applied_by, one.applied_at, one.sent_by,
        address(path, {**named, "version": str(one.version)}), one.version == found.summary.version,
    )  # fmt: skip


LIST = Listing(
    path="/templates", permission="templates:read", row=TemplateRow, find=_find, page=TemplatesPage,
    fields=(Field("q", "Name"), Field("sent", "Sent in", {"older": "an older version"}, "whichever version")),
)  # fmt: skip
ROUTES: tuple[ProjectRoute, ...] = (*LIST.routes, *named_routes("template", "templates:read", show_one))
