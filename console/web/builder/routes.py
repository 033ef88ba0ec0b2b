"""`/p/<project>/distributions/new`, and `/edit` of one: a document is built by a form, or written, and saved."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import msgspec
from aiohttp import web

from console.control import distributions, drafts
from console.control.document_edit import with_values
from console.control.drafts import ChangedMeanwhile, Draft, DraftWrong
from console.web.builder import form as forms
from console.web.builder import mail, summary, text
from console.web.builder.asked import MOST_BYTES, MOST_FIELDS, Asked, begun, edit_path, text_of
from console.web.builder.form import FORMS
from console.web.builder.steps import LABELS, SUMMARY, TEXT
from console.web.builder.steps import after as next_step
from console.web.pages import see
from console.web.projects import ProjectRoute, ProjectVisit, distribution_path
from console.web.tables import address
from console.web.visit import whole_number
from schemas.access import Permission, may
from schemas.closed import BackfillWho, DistributionStatus, members
from schemas.distribution import Distribution
from store.managed import Locked, ManagedFromGit

_BEGIN = "status: DRAFT\n"
_COPY = "-copy"
_LONGEST_ID = 128
_WRITE: Permission = "distributions:write"
_LIVE: Permission = "distributions:set_live"


async def show_new(mine: ProjectVisit) -> web.Response:
    """The builder with nothing in it, or with a copy of one. Raises NotFound, BadQuestion, TryLater."""
    source = mine.text("from")
    made = await _copy(mine, source) if source else _BEGIN
    return await _show(await begun(mine, Draft(made), None, _step(mine)))


async def show_edit(mine: ProjectVisit) -> web.Response:
    """The builder with the newest version of one. Raises NotFound, BadQuestion, TryLater."""
    newest, made = await drafts.stored_text(mine.pool, mine.project_id, mine.text("id"))
    asked = await begun(mine, Draft(made, newest.id, newest.version), newest, _step(mine))
    note = f"It is saved, in version {newest.version}." if mine.query.get("saved") == str(newest.version) else ""
    return await _show(asked, note)


async def take_new(mine: ProjectVisit) -> web.Response:
    """Go on with what is to be a new one. Raises TryLater."""
    form = await mine.visit.form(MOST_BYTES, MOST_FIELDS)
    asked = await begun(mine, Draft(text_of(form.get("yaml", ""))), None, _known(form.get("step", "")))
    return await _take(replace(asked, do=form.get("do", ""), form=form))


async def take_edit(mine: ProjectVisit) -> web.Response:
    """Go on with what is to be another version of one. Raises NotFound, TryLater."""
    form = await mine.visit.form(MOST_BYTES, MOST_FIELDS)
    newest = await distributions.find(mine.pool, mine.project_id, mine.text("id"))
    draft = Draft(text_of(form.get("yaml", "")), newest.id, whole_number(form.get("seen", "")) or 0)
    asked = await begun(mine, draft, newest, _known(form.get("step", "")))
    return await _take(replace(asked, do=form.get("do", ""), form=form))


async def _take(asked: Asked) -> web.Response:
    """Do what the button says."""
    if "yaml" not in asked.form:
        return text.refused(asked.at(TEXT), "The form came without its document: begin anew")
    what, _, about = asked.do.partition(":")
    if asked.step in FORMS:
        return await _take_step(asked, what, about)
    match what:
        case "go" if about in LABELS:
            return await _show(asked.at(about))
        case "mend" if about in FORMS:
            return await summary.mend(asked, about)
        case "event":
            return await summary.last_event(asked)
        case "try":
            return await summary.try_event(asked)
        case "week":
            return await summary.judge_week(asked)
        case "preflight":
            return await summary.look_over(asked)
        case "live":
            return await _set_live(asked)
        case "save" | "over" | "override":
            seen = (whole_number(about) or 0) if what == "over" else asked.draft.seen
            asked = replace(asked, draft=replace(asked.draft, seen=seen))
            return await _save(asked, asked.mine.lock(insists=what == "override"))
        case _:
            return await text.check(asked.at(TEXT))


async def _take_step(asked: Asked, what: str, about: str) -> web.Response:
    """Take what the form of a step says into the document, and go on; what is wrong of it is told by going on."""
    try:
        await asyncio.to_thread(drafts.read, asked.draft.text)
    except DraftWrong as error:
        return text.wrong(asked.at(TEXT), error)
    after = await forms.taken(asked)
    if after.wrong:  # which the document cannot say: it would be lost by going on
        return await forms.show(after)
    if what == "go" and about in LABELS:
        return await _show(after.at(about))
    if what != "next" or forms.has_new_fields(asked, after):
        return await forms.show(after)
    if wrong := await forms.wrong_in(after):
        return await forms.show(after, wrong)
    return await _show(after.at(next_step(after.step)))


async def _show(asked: Asked, note: str = "") -> web.Response:
    """A view of the document; the text, where no other one can show it. Raises TryLater."""
    if asked.step == TEXT:
        return text.show(asked, note)
    try:
        drafts.read(asked.draft.text)
    except DraftWrong as error:
        return text.wrong(asked.at(TEXT), error)
    return await (summary.show(asked, note) if asked.step == SUMMARY else forms.show(asked, note=note))


async def _save(asked: Asked, keep: Locked) -> web.Response:
    """Save it, as a draft where it is one; what is wrong is shown beside the text."""
    saved = await _applied(asked, "DRAFT" if asked.is_draft else None, keep)
    if isinstance(saved, web.Response):
        return saved
    said = {"step": asked.step, "saved": str(saved.version)}
    return see(address(edit_path(asked.mine.project_id, saved.id), said))


async def _set_live(asked: Asked) -> web.Response:
    """Save it as what sends from now on, to those that were chosen."""
    chosen = asked.form.get(summary.BACKFILL, "")
    if chosen in members(BackfillWho):
        said = asked.values.get("backfill")
        if chosen != (said or "only_later"):
            asked = asked.changed({"backfill": chosen})
    saved = await _applied(asked, "LIVE", asked.mine.lock())
    if isinstance(saved, web.Response):
        return saved
    return see(distribution_path(asked.mine.project_id, saved.id))


async def _applied(asked: Asked, status: DistributionStatus | None, keep: Locked) -> Distribution | web.Response:
    """Apply it, in another status where one is named; or say what is in the way. Raises TryLater."""
    mine, at_text = asked.mine, asked.at(TEXT)
    try:
        draft = asked.draft.with_status(status) if status else asked.draft
        if twice := await drafts.already_saved(mine.pool, mine.project_id, draft):
            return twice
        planned = await replace(asked, draft=draft).plan(asks_providers=True)
        if planned.touches_live and not may(mine.role, _LIVE):
            said = "To change what is live, or becomes so, needs the role of an approver. Save a copy of it as a draft"
            return text.refused(at_text, said)
        await drafts.save(mine.pool, planned, mine.announce, actor=mine.actor, now=mine.now, keep=keep)
    except DraftWrong as error:
        return text.wrong(at_text, error)
    except ChangedMeanwhile as error:
        return await text.meanwhile(at_text, error)
    except ManagedFromGit as error:
        return text.refused(at_text, f"It is managed from Git ({error.source}): change it there", is_managed=True)
    made: Distribution = msgspec.structs.replace(planned.distribution, version=planned.plan.version)
    return made


async def _copy(mine: ProjectVisit, identity: str) -> str:
    """The text of one under an id that is not taken, as a draft. Raises NotFound, TryLater."""
    source, made = await drafts.stored_text(mine.pool, mine.project_id, identity)
    taken = await distributions.ids(mine.pool, mine.project_id)
    stem = source.id[: _LONGEST_ID - len(_COPY) - 4] + _COPY
    names = (stem, *(f"{stem}-{number}" for number in range(2, len(taken) + 3)))
    changes = {"distribution": next(name for name in names if name not in taken), "status": "DRAFT"}
    if "name" in drafts.values(made):
        changes["name"] = f"{source.name} (copy)"
    return with_values(made, changes, drafts.ORDER)


def _step(mine: ProjectVisit) -> str:
    return _known(mine.query.get("step", ""))


def _known(step: str) -> str:
    return step if step in LABELS else next(iter(LABELS))


ROUTES: tuple[ProjectRoute, ...] = (
    ProjectRoute("/distributions/new", _WRITE, show_new),
    ProjectRoute("/distributions/new", _WRITE, take_new, "POST"),
    ProjectRoute("/distributions/{id}/edit", _WRITE, show_edit),
    ProjectRoute("/distributions/{id}/edit", _WRITE, take_edit, "POST"),
    ProjectRoute("/distribution/edit", _WRITE, show_edit),
    ProjectRoute("/distribution/edit", _WRITE, take_edit, "POST"),
    *mail.ROUTES,
)
