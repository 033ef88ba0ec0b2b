"""`/p/<project>/segments/new` and `/segments/<id>/edit`: a segment in a form or as YAML, counted and saved; or removed.

There is one document, which the forms bring along as YAML, as in the builder of distributions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from aiohttp import web

from console.control import drafts, segment_drafts, segments
from console.control.distribution_versions import difference
from console.control.document_edit import with_values
from console.control.drafts import DraftProblem, DraftWrong
from console.control.plan import Planned
from console.control.segment_drafts import ORDER, SegmentChanged, SegmentDraft
from console.control.segments import SegmentChange
from console.web.builder import guard as guards
from console.web.builder import guard_form
from console.web.builder.asked import MOST_BYTES, MOST_FIELDS
from console.web.builder.fields import Bound, changes
from console.web.builder.form import at_fields
from console.web.builder.records import Section, ShownMeanwhile, Tab
from console.web.builder.text import CONFLICT, FIELD, UNPROCESSABLE, said, wrong_lines
from console.web.pages import FieldProblem, respond, see
from console.web.project_segments import SegmentFormPage, SegmentTextPage, ShownCount, ShownUnjudged
from console.web.projects import ProjectRoute, ProjectVisit, base_of, customer_path, segment_path
from console.web.segments import edit_path, page_of_one
from console.web.tables import address
from console.web.visit import whole_number
from console.web.words import as_sentence, inert
from schemas.access import Permission
from schemas.errors import TidingsError, TryLater
from store.fields_seen import FieldsSeen
from store.managed import ManagedFromGit
from streams.conditions.fields import CUSTOMER_FIELDS

_WRITE: Permission = "segments:write"
FORM, TEXT = "form", "yaml"
_LABELS: Mapping[str, str] = {FORM: "Condition", TEXT: "YAML and count"}
_EMPTY = "segment:\n"
_NAMES = (
    Bound(("segment",), "Id", "It keeps it: letters, digits, dash, dot and underscore, as in lapsed-90-days."),
    Bound(("name",), "Name", "What people call it. Empty: its id."),
)
_WITHOUT = "Say whom it is about: customers of whom these hold."
_MOST_FIELDS = 300
_LIST = "Its members are a list, which stands in the YAML."


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: the draft, the view that its form was, what its button says, and its fields."""

    mine: ProjectVisit
    draft: SegmentDraft
    step: str
    do: str = ""
    form: Mapping[str, str] = field(default_factory=dict)

    @property
    def values(self) -> dict[str, Any]:
        """The values of the document; empty where it cannot be read."""
        return drafts.values(self.draft.text)

    def frame(
        self, problems: tuple[FieldProblem, ...] = (), meanwhile: ShownMeanwhile | None = None, note: str = ""
    ) -> dict[str, Any]:
        """The fields that both views have."""
        draft = self.draft
        return {
            "title": "New segment" if draft.identity is None else f"Edit {inert(draft.identity)}",
            "here": f"{base_of(self.mine.project_id)}/segments",
            "problems": problems,
            "action": edit_path(self.mine.project_id, draft.identity),
            "step": self.step,
            "tabs": [Tab(step, text, step == self.step) for step, text in _LABELS.items()],
            "text": draft.text,
            "seen": draft.seen,
            "status": "",
            "save_text": "Save it" if draft.identity is None else f"Save as version {draft.seen + 1}",
            "note": note,
            "meanwhile": meanwhile,
            **self.mine.frame,
        }


async def show_new(mine: ProjectVisit) -> web.Response:
    """The form of a new one."""
    return await _show(Asked(mine, SegmentDraft(_EMPTY), _step(mine.query.get("step", ""))))


async def show_edit(mine: ProjectVisit) -> web.Response:
    """The form of one that somebody wrote. Raises NotFound, TryLater."""
    definition, text = await segment_drafts.stored_text(mine.pool, mine.project_id, mine.text("id"))
    step = _step(mine.query.get("step", "") or (FORM if definition.when is not None else TEXT))
    return await _show(Asked(mine, SegmentDraft(text, definition.id, definition.version), step))


async def take_new(mine: ProjectVisit) -> web.Response:
    """Do what the button of a form says."""
    return await _take(mine, None)


async def take_edit(mine: ProjectVisit) -> web.Response:
    """The same of one that is there. Raises NotFound, TryLater."""
    definition, _ = await segment_drafts.stored_text(mine.pool, mine.project_id, mine.text("id"))
    return await _take(mine, definition.id)


async def _take(mine: ProjectVisit, identity: str | None) -> web.Response:
    form = await mine.visit.form(MOST_BYTES, MOST_FIELDS)
    text = form.get("yaml", "").replace("\r\n", "\n")
    draft = SegmentDraft(text, identity, whole_number(form.get("seen", "")) or 0)
    asked = Asked(mine, draft, _step(form.get("step", "")), form.get("do", ""), form)
    if "yaml" not in form:
        return _text(asked, (FieldProblem(FIELD, "The form came without its document: begin anew"),))
    what, _, about = asked.do.partition(":")
    if asked.step == FORM:
        return await _take_form(asked, what, about)
    match what:
        case "go" if about in _LABELS:
            return await _show(replace(asked, step=about))
        case "save" | "over" | "override":
            seen = (whole_number(about) or 0) if what == "over" else draft.seen
            return await _save(replace(asked, draft=replace(draft, seen=seen)), insists=what == "override")
        case _:
            return await _check(asked)


async def _take_form(asked: Asked, what: str, about: str) -> web.Response:
    """Take what the form says into the document, and go on; what is wrong of it is told by going on."""
    try:
        await asyncio.to_thread(drafts.read, asked.draft.text)
    except DraftWrong as error:
        return _wrong(asked, error)
    after = replace(asked, draft=replace(asked.draft, text=await asyncio.to_thread(_taken, asked)))
    if what == "go" and about in _LABELS:
        return await _show(replace(after, step=about))
    if what != "next":
        return await _form(after)
    return await _check(after)


def _taken(asked: Asked) -> str:
    """The document with what the form says."""
    values, form = asked.values, asked.form
    made = changes(_NAMES[asked.draft.identity is not None :], values, form)
    if "members" not in values and "members_file" not in values:
        made |= guards.changes(values, form, asked.do, CUSTOMER_FIELDS)
    return with_values(asked.draft.text, made, ORDER) if made else asked.draft.text


async def _show(asked: Asked) -> web.Response:
    """A view of the document; the text, where the form cannot show it. Raises TryLater."""
    if asked.step == TEXT:
        return await _check(asked) if asked.do else _text(asked)
    try:
        drafts.read(asked.draft.text)
    except DraftWrong as error:
        return _wrong(asked, error)
    return await _form(asked)


async def _check(asked: Asked) -> web.Response:
    """The text with what is wrong with it, or with what saving it would do, and whom it would have. Raises TryLater."""
    try:
        planned = await _plan(asked)
    except DraftWrong as error:
        return await _form(asked, error.problems) if asked.step == FORM else _wrong(asked, error)
    except SegmentChanged as error:
        return await _meanwhile(asked, error)
    return await _planned(replace(asked, step=TEXT), planned)


async def _save(asked: Asked, *, insists: bool) -> web.Response:
    """Save it; what is wrong is shown beside the text. Raises TryLater."""
    mine = asked.mine
    try:
        if twice := await segment_drafts.already_saved(mine.pool, mine.project_id, asked.draft):
            return _saved(mine, twice)
        planned = await _plan(asked)
        await segment_drafts.save(mine.pool, planned, actor=mine.actor, keep=mine.lock(insists=insists))
    except DraftWrong as error:
        return _wrong(asked, error)
    except SegmentChanged as error:
        return await _meanwhile(asked, error)
    except ManagedFromGit as error:
        why = f"It is managed from Git ({inert(error.source)}): change it there"
        return _text(asked, (FieldProblem(FIELD, why),), is_managed=True)
    return _saved(mine, planned.identity)


def _saved(mine: ProjectVisit, identity: str) -> web.Response:
    return see(address(segment_path(mine.project_id, identity), {"saved": "1"}))


async def _plan(asked: Asked) -> Planned[SegmentChange]:
    return await segment_drafts.plan(asked.mine.pool, asked.mine.context, asked.draft, asked.mine.now)


async def remove(mine: ProjectVisit) -> web.Response:
    """Forget one, and who is in it, where nothing uses it. Raises NotFound, TryLater."""
    form, identity = await mine.visit.form(), mine.text("id")
    keep = mine.lock(insists=form.get("override") == "yes")
    try:
        await segments.find(mine.pool, mine.project_id, identity)
        if form.get("sure") != "yes":
            raise TidingsError("say that it is to be forgotten")
        await segments.remove(mine.pool, mine.project_id, identity, actor=mine.actor, keep=keep)
    except TryLater:
        raise
    except ManagedFromGit as error:
        why = f"It is managed from Git ({inert(error.source)}): change it there."
        return await page_of_one(mine, [FieldProblem("sure", why)], is_managed=True)
    except TidingsError as error:
        return await page_of_one(mine, [FieldProblem("sure", as_sentence(inert(error)))])
    return see(address(f"{base_of(mine.project_id)}/segments", {"removed": "1"}))


# -- how it reads -----------------------------------------------------------------------------------------------------


async def _form(asked: Asked, found: tuple[DraftProblem, ...] = ()) -> web.Response:
    values = asked.values
    names = [one.field(values) for one in _NAMES[asked.draft.identity is not None :]]
    made = [Section("", names)]
    if "members" in values or "members_file" in values:
        made.append(Section("Members", hint=_LIST))
    else:
        guard = guards.guard_of(values.get(guards.KEY), CUSTOMER_FIELDS)
        known, opened = await _known(asked.mine), guard_form.opened(asked.do)
        made += guard_form.sections(guard, CUSTOMER_FIELDS, known, opened, _WITHOUT)
    problems = tuple(at_fields(made, found))
    hint = "Whoever these hold of is in it, and leaves it when they do not any more."
    page = SegmentFormPage(**asked.frame(problems), hint=hint, sections=made)
    return respond(page, UNPROCESSABLE if problems else 200)


async def _known(mine: ProjectVisit) -> list[str]:
    """The fields of profiles that are offered. Raises TryLater."""
    seen = await FieldsSeen(mine.pool).paths(mine.project_id, _MOST_FIELDS)
    of_customers = (one for one in seen if one.startswith("customer."))
    return sorted({*guard_form.paths_of(CUSTOMER_FIELDS), *of_customers})


def _text(asked: Asked, problems: tuple[FieldProblem, ...] = (), *, is_managed: bool = False) -> web.Response:
    page = SegmentTextPage(**replace(asked, step=TEXT).frame(problems), is_managed=is_managed)
    return respond(page, UNPROCESSABLE if problems else 200)


async def _planned(asked: Asked, planned: Planned[SegmentChange]) -> web.Response:
    mine = asked.mine
    counted = await segment_drafts.count(mine.pool, mine.context, planned.change[0], mine.now)
    reasons = [
        ShownUnjudged(one.customers, one.reason, one.customer_id, customer_path(mine.project_id, one.customer_id))
        for one in counted.reasons
    ]
    shown = ShownCount(counted.members, counted.unjudged, reasons, counted.looked_at, counted.customers)
    lines = planned.lines or ("It is the same as the version that is there.",)
    note = "Nothing is wrong with it. It is not saved yet."
    return respond(SegmentTextPage(**asked.frame(note=note), plan=lines, counted=shown))


def _wrong(asked: Asked, error: DraftWrong) -> web.Response:
    problems = tuple(FieldProblem(FIELD, inert(said(one))) for one in error.problems)
    page = SegmentTextPage(
        **replace(asked, step=TEXT).frame(problems), wrong=wrong_lines(asked.draft.text, error.problems)
    )
    return respond(page, UNPROCESSABLE)


async def _meanwhile(asked: Asked, error: SegmentChanged) -> web.Response:
    """The text beside what somebody else has applied meanwhile. Raises NotFound, TryLater."""
    mine, shown = asked.mine, None
    if error.version:
        identity = asked.draft.identity or drafts.read(asked.draft.text).identity("segment")
        newest = await segments.find(mine.pool, mine.project_id, identity)
        _, theirs = await segment_drafts.stored_text(mine.pool, mine.project_id, identity)
        lines = difference(theirs, asked.draft.text)
        shown = ShownMeanwhile(error.version, "somebody else", newest.applied_at, (), lines)
    said = f"Somebody else has changed it: {inert(error)}. Nothing of yours is lost"
    page = SegmentTextPage(**replace(asked, step=TEXT).frame((FieldProblem(FIELD, said),), shown))
    return respond(page, CONFLICT)


def _step(step: str) -> str:
    return step if step in _LABELS else FORM


ROUTES: tuple[ProjectRoute, ...] = (
    ProjectRoute("/segments/new", _WRITE, show_new),
    ProjectRoute("/segments/new", _WRITE, take_new, "POST"),
    ProjectRoute("/segments/{id}/edit", _WRITE, show_edit),
    ProjectRoute("/segments/{id}/edit", _WRITE, take_edit, "POST"),
    ProjectRoute("/segment/edit", _WRITE, show_edit),
    ProjectRoute("/segment/edit", _WRITE, take_edit, "POST"),
    ProjectRoute("/segments/{id}/remove", _WRITE, remove, "POST"),
    ProjectRoute("/segment/remove", _WRITE, remove, "POST"),
)
