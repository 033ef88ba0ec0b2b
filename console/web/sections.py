"""`/p/<project>/templates/<id>/sections`: an e-mail as cards that are its template's file, beside how it looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from aiohttp import web

from console.control import template_edit, templates
from console.control.preview.offered import offered
from console.control.preview.variables import every_variable
from console.control.template_source import LAYOUT, named_file
from console.web import section_forms
from console.web.pages import FieldProblem, respond
from console.web.project_templates import Meanwhile, SectionsPage, occasion_form
from console.web.projects import ProjectRoute, ProjectVisit, base_of, template_path
from console.web.tables import address
from console.web.template_edit import draft_of, looked, stored, version_of, why_not
from console.web.template_forms import MOST_BYTES, MOST_FIELDS, seen_by
from console.web.visit import whole_number
from console.web.words import inert, segment
from schemas.errors import TidingsError, TryLater

_MOST_IN_AN_ADDRESS = 6_000
"""Characters of a file that a frame is asked for by; of a larger one the stored version is shown first."""
_OF_THE_DEFAULT = "und"
"""A locale that no file is for: its customer gets the one without a locale."""


@dataclass(frozen=True, slots=True)
class _Draft:
    """A file as it stands in a form, beside the version of its template that was read."""

    version: int
    before: Mapping[str, str]
    file: str
    source: str

    @property
    def files(self) -> dict[str, str]:
        """The whole template."""
        return {**self.before, self.file: self.source}


async def ask(mine: ProjectVisit) -> web.Response:
    """The cards of its first file in MJML, or of the one that is named. Raises NotFound, TryLater."""
    kept = (await templates.find(mine.pool, mine.project_id, mine.text("id"))).template
    file = _chosen(kept.files, mine.text("file"))
    return await _page(mine, _Draft(kept.version, kept.files, file, kept.files[file]))


async def work(mine: ProjectVisit) -> web.Response:
    """Do to the cards what a button says: nothing is stored before it is saved. Raises NotFound, TryLater."""
    form = (await mine.visit.posted(MOST_BYTES, MOST_FIELDS)).fields
    draft, problems = await _read(mine, form)
    if problems:
        return await _page(mine, draft, problems, form=form)
    try:
        match form.get("act"):
            case "save":
                return await stored(mine, draft.files, draft.version)
            case "check":
                await template_edit.check(mine.pool, mine.project_id, mine.text("id"), draft.files)
                return await _page(mine, draft, note="Nothing is wrong.")
            case _:
                return await _page(mine, draft)
    except TryLater:
        raise
    except TidingsError as error:
        said, newer = await why_not(error, draft.files)
        at = "meanwhile" if newer else "main"  # the cards have no field of a file
        return await _page(mine, draft, [FieldProblem(at, one.message) for one in said], meanwhile=newer)


async def look(mine: ProjectVisit) -> web.Response:
    """A draft of an address, for a frame. Raises NotFound, TryLater."""
    draft, _ = await _read(mine, mine.query)
    return await _looked(mine, draft)


async def look_at_form(mine: ProjectVisit) -> web.Response:
    """A draft of a form, for a frame. Raises NotFound, TryLater."""
    form = (await mine.visit.posted(MOST_BYTES, MOST_FIELDS)).fields
    draft, _ = await _read(mine, form)
    if not form:
        draft = _Draft(draft.version, {}, "", "")
    return await _looked(mine, draft)


async def _looked(mine: ProjectVisit, draft: _Draft) -> web.Response:
    name, tag = mine.text("id"), named_file(PurePath(draft.file))[1] if draft.file else ""
    occasion = {**occasion_form(), "locale": tag or _OF_THE_DEFAULT}
    return await looked(mine, name, occasion, lambda: draft_of(mine, name, draft.files))


async def _read(mine: ProjectVisit, form: Mapping[str, str]) -> tuple[_Draft, list[FieldProblem]]:
    """The draft of a form, and what cannot be written as it says. Raises NotFound, TryLater."""
    name = mine.text("id")
    version = whole_number(form.get("version", "")) or 0
    before = await version_of(mine, name, version)
    if not before:  # the one that was read is not there any more
        before = (await templates.find(mine.pool, mine.project_id, name)).template.files
    file = _chosen(before, form.get("file", ""))
    source = section_forms.read_state(form.get("state", ""))
    if not form.get("state") or source is None:
        problem = FieldProblem("main", "This form does not say what it is about: open the page anew.")
        return _Draft(version, before, file, before[file]), [problem]
    after, problems = section_forms.changed(source, form)
    return _Draft(version, before, file, after), problems


def _chosen(files: Mapping[str, str], named: str) -> str:
    """The file that is named, else the first in MJML."""
    if named in files:
        return named
    return min(files, key=lambda one: (PurePath(one).suffix != ".mjml", one == LAYOUT, one.count("."), one))


async def _page(
    mine: ProjectVisit,
    draft: _Draft,
    problems: Sequence[FieldProblem] = (),
    *,
    meanwhile: Meanwhile | None = None,
    note: str = "",
    form: Mapping[str, str] | None = None,
) -> web.Response:
    name = mine.text("id")
    path, state = f"{base_of(mine.project_id)}/templates/{segment(name)}", section_forms.state_of(draft.source)
    version = meanwhile.version if meanwhile else draft.version
    asked = {"version": str(draft.version), "file": draft.file}
    is_short = len(state) <= _MOST_IN_AN_ADDRESS
    frame = address(f"{path}/sections/preview", {**asked, "state": state}) if is_short else f"{path}/preview"
    page = SectionsPage(
        title=f"Sections of {inert(name)}",
        here=f"{base_of(mine.project_id)}/templates",
        problems=problems,
        path=path,
        back=template_path(mine.project_id, name),
        name=name,
        version=version,
        file=draft.file,
        others=[(one, address(f"{path}/sections", {"file": one})) for one in sorted(draft.before) if one != draft.file],
        state=state,
        cards=section_forms.shown(draft.source, form),
        kinds=section_forms.KINDS,
        frame=frame,
        variables=offered(every_variable(), await seen_by(mine)),
        changed=draft.source != draft.before[draft.file],
        meanwhile=meanwhile,
        note=note,
        **mine.frame,
    )
    return respond(page, 422 if problems else 200)


ROUTES: tuple[ProjectRoute, ...] = (
    ProjectRoute("/templates/{id}/sections", "templates:write", ask),
    ProjectRoute("/templates/{id}/sections", "templates:write", work, "POST"),
    ProjectRoute("/templates/{id}/sections/preview", "templates:read", look),
    ProjectRoute("/templates/{id}/sections/preview", "templates:read", look_at_form, "POST"),
)
