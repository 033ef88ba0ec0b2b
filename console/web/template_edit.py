"""`/p/<project>/templates/<id>/edit`: a template's files in a form, beside how they look; saved as a new version."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import PurePath

from aiohttp import web

from console.control import template_edit, templates
from console.control.distribution_versions import difference
from console.control.not_found import NotFound
from console.control.preview import template as previewing
from console.control.preview.occasion import trigger_choices
from console.control.preview.offered import offered
from console.control.preview.template import Preview, Source
from console.control.preview.variables import every_variable
from console.control.template_edit import EditedMeanwhile
from console.control.template_source import named_file, stored_subject
from console.web import frames
from console.web.pages import FieldProblem, respond, see
from console.web.project_templates import EditedFile, Meanwhile, TemplateEditPage
from console.web.projects import ProjectRoute, ProjectVisit, base_of, template_path
from console.web.tables import address
from console.web.template_forms import (
    MOST_BYTES,
    MOST_FIELDS,
    brand_of,
    edited,
    files_of,
    occasion_of,
    previewed,
    seen_by,
    told,
    trigger_of,
)
from console.web.visit import whole_number
from console.web.words import inert, segment
from schemas.access import Permission, may, roles_with
from schemas.errors import BadRecord, DefinitionInvalid, Problem, TidingsError, TryLater
from store.templates import TemplateVersion

_SEES_MESSAGES: Permission = "customers:export"
"""What a message was made of is as much as an export tells of its customer."""


async def ask(mine: ProjectVisit) -> web.Response:
    """The form, with the newest version. Raises NotFound, TryLater."""
    kept = await templates.find(mine.pool, mine.project_id, mine.text("id"))
    return await _page(mine, kept.template.files, kept.template.version, occasion_of(mine.query))


async def save(mine: ProjectVisit) -> web.Response:
    """Save what is written as a new version; or check it, and do nothing. Raises NotFound, TryLater."""
    form, name = await _form(mine), mine.text("id")
    seen = whole_number(form.get("version", "")) or 0
    before = await version_of(mine, name, seen)
    files, occasion = files_of(form, before), occasion_of(form)
    show = _Again(mine, files, seen, occasion)
    try:
        if form.get("step") == "check":
            planned = await template_edit.check(mine.pool, mine.project_id, name, files)
            changes = "; ".join(planned.lines) if planned.what != "unchanged" else "nothing differs"
            return await show.page(note=f"Nothing is wrong. Saving it: {changes}.")
        return await stored(mine, files, seen)
    except TryLater:
        raise
    except TidingsError as error:
        problems, newer = await why_not(error, files)
        return await show.page(problems, meanwhile=newer)


async def stored(mine: ProjectVisit, files: Mapping[str, str], seen: int) -> web.Response:
    """Store a draft over the version that was seen, and go on to its template. Raises TidingsError."""
    of, name = (mine.pool, mine.project_id), mine.text("id")
    planned = await template_edit.store(*of, name, files, seen, actor=mine.actor, now=mine.now, keep=mine.lock())
    said = {"saved": str(planned.version)} if planned.what != "unchanged" else {"same": "1"}
    return see(address(template_path(mine.project_id, name), said))


async def why_not(error: TidingsError, files: Mapping[str, str]) -> tuple[list[FieldProblem], Meanwhile | None]:
    """The problems of a draft that was not stored, and the version of somebody else where that is in the way."""
    match error:
        case EditedMeanwhile():
            newer = await asyncio.to_thread(_meanwhile, error.newest, files)
            return [FieldProblem("meanwhile" if newer else "main", inert(error))], newer
        case DefinitionInvalid():
            return told(error.problems, edited(files)), None
        case _:
            return [FieldProblem("main", inert(error))], None


class _Again:
    """The page with what was written in it."""

    def __init__(self, mine: ProjectVisit, files: Mapping[str, str], seen: int, occasion: Mapping[str, str]) -> None:
        self._of = mine, files
        self._seen, self._occasion = seen, occasion

    async def page(
        self, problems: Sequence[FieldProblem] = (), *, meanwhile: Meanwhile | None = None, note: str = ""
    ) -> web.Response:
        seen = meanwhile.version if meanwhile else self._seen
        return await _page(*self._of, seen, self._occasion, problems, meanwhile=meanwhile, note=note)


def _meanwhile(newest: TemplateVersion | None, files: Mapping[str, str]) -> Meanwhile | None:
    """The version of somebody else beside what is written, for a page."""
    if newest is None:
        return None
    theirs = newest.template.files
    shown = [
        (name, difference(theirs.get(name, ""), files.get(name, "")))
        for name in sorted({**theirs, **files})
        if theirs.get(name) != files.get(name)
    ]
    return Meanwhile(newest.template.version, newest.applied_by, shown)


async def _page(
    mine: ProjectVisit,
    files: Mapping[str, str],
    version: int,
    occasion: Mapping[str, str],
    problems: Sequence[FieldProblem] = (),
    *,
    meanwhile: Meanwhile | None = None,
    note: str = "",
) -> web.Response:
    name = mine.text("id")
    shown: list[EditedFile] = edited(files)
    usual = await trigger_of(mine, name)
    path = f"{base_of(mine.project_id)}/templates/{segment(name)}"
    newest = await templates.version(mine.pool, mine.project_id, name)
    page = TemplateEditPage(
        title=f"Edit template {inert(name)}",
        here=f"{base_of(mine.project_id)}/templates",
        problems=problems,
        path=path,
        back=template_path(mine.project_id, name),
        name=name,
        version=version,
        files=shown,
        frame=address(f"{path}/preview", {"version": str(newest), **occasion}) if newest else "",
        triggers=[(one, one) for one in trigger_choices([occasion["trigger"] or usual])],
        locales=sorted({tag for tag in map(_locale, files) if tag}),
        variables=offered(every_variable(), await seen_by(mine)),
        occasion=occasion,
        meanwhile=meanwhile,
        note=note,
        **mine.frame,
    )
    return respond(page, 422 if problems else 200)


# -- how it looks -------------------------------------------------------------------------------------------------


async def look(mine: ProjectVisit) -> web.Response:
    """A version as it is stored, for a frame. Raises TryLater."""
    name, version = mine.text("id"), whole_number(mine.query.get("version", "")) or None
    return await looked(
        mine, name, mine.query, lambda: previewing.from_store(mine.pool, mine.project_id, name, brand_of(mine), version)
    )


async def look_at_draft(mine: ProjectVisit) -> web.Response:
    """The files of a form, for a frame: nothing is saved. Raises TryLater."""
    form, name = await _form(mine), mine.text("id")
    files = files_of(form, {})

    return await looked(mine, name, form, lambda: draft_of(mine, name, files))


async def draft_of(mine: ProjectVisit, name: str, files: Mapping[str, str]) -> Source:
    """Files that are not stored, sent as the template is that is. Raises DefinitionInvalid, TidingsError, TryLater."""
    of, consent = template_edit.source_of(name, files), "marketing"
    subject: str | None = None
    try:
        kept = await previewing.from_store(mine.pool, mine.project_id, name, brand_of(mine))
        subject, consent = stored_subject(files) or kept.template.subject, kept.consent
    except NotFound:
        pass
    return await asyncio.to_thread(previewing.from_source, of, brand_of(mine), subject=subject, consent=consent)


async def looked(
    mine: ProjectVisit, name: str, given: Mapping[str, str], source: Callable[[], Awaitable[Source]]
) -> web.Response:
    """A template on an event, for a frame; or why it cannot be shown. Raises TryLater."""
    asked = occasion_of(given)
    if asked["message"] and not may(mine.role, _SEES_MESSAGES):
        who = " and ".join(roles_with(_SEES_MESSAGES))
        return frames.failed("Preview", f"What a message was made of is for {who}.", 403)
    try:
        shown: Preview = await previewed(mine, await source(), asked, await trigger_of(mine, name))
    except DefinitionInvalid as error:
        return frames.failed("Preview", "\n".join(map(_problem, error.problems)))
    except TryLater:
        raise
    except (TidingsError, BadRecord) as error:
        return frames.failed("Preview", str(error))
    facts = [("Subject", shown.subject), ("Locale", shown.locale or "default")]
    about = bool(asked["customer"] or asked["message"])
    of = facts, shown.text, shown.html, shown.raw
    return frames.shown("Preview", *of, is_about_somebody=about, view=mine.text("view"))


def _problem(problem: Problem) -> str:
    return f"{problem.path}  {problem.message}" if problem.path else problem.message


async def _form(mine: ProjectVisit) -> Mapping[str, str]:
    return (await mine.visit.posted(MOST_BYTES, MOST_FIELDS)).fields


async def version_of(mine: ProjectVisit, name: str, version: int) -> Mapping[str, str]:
    """The files that were read before they were edited. Raises NotFound where there is no such template."""
    try:
        return (await templates.find(mine.pool, mine.project_id, name, version or None)).template.files
    except NotFound:
        await templates.history(mine.pool, mine.project_id, name)
        return {}


def _locale(file: str) -> str:
    return named_file(PurePath(file))[1]


ROUTES: tuple[ProjectRoute, ...] = (
    ProjectRoute("/templates/{id}/edit", "templates:write", ask),
    ProjectRoute("/templates/{id}/edit", "templates:write", save, "POST"),
    ProjectRoute("/templates/{id}/preview", "templates:read", look),
    ProjectRoute("/templates/{id}/preview", "templates:read", look_at_draft, "POST"),
)
