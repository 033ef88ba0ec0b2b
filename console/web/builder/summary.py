"""The summary of a document: what it says and would do, a preflight, what an event would cause, and setting it live."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import msgspec
from aiohttp import web

from console.control import distributions, drafts
from console.control.backfills import Reached
from console.control.distribution_versions import canonical_text
from console.control.drafts import ChangedMeanwhile, DraftWrong, PlannedDraft
from console.control.events import customer_of
from console.control.explain import simulate
from console.control.known_memberships import KnownMemberships
from console.control.left_with_us import with_choices
from console.control.not_found import NotFound
from console.control.past_week import MOST, PastWeek, past_week
from console.control.preflight.finding import MEANINGS, Finding
from console.control.preflight.preflight import Asked as PreflightAsked
from console.control.preflight.preflight import Preflight, preflight
from console.control.preview import messages
from console.control.simulation import outcome_words
from console.web.builder import event as events
from console.web.builder import form as forms
from console.web.builder import text
from console.web.builder.asked import Asked
from console.web.builder.event import EVENT
from console.web.builder.records import (
    BackfillChoice,
    BuilderSummaryPage,
    Place,
    ShownCame,
    ShownFinding,
    ShownPreflight,
    ShownWeek,
    Tried,
)
from console.web.builder.steps import SUMMARY, TEXT
from console.web.pages import FieldProblem, respond
from console.web.projects import base_of
from console.web.reasons import sentence
from console.web.summary import event_words, sentences
from console.web.tables import address
from console.web.words import count_of, inert
from schemas.access import may
from schemas.closed import BackfillWho
from schemas.distribution import Backfill, Distribution
from schemas.errors import BadRecord, TidingsError, TryLater
from schemas.events.triggers import BACKFILLED, TRIGGERS
from schemas.formats.pointers import path_of
from store.consent_choices import ConsentChoices
from store.segments import Segments

BACKFILL = "backfill"
_PREFLIGHT_SECONDS = 25.0
_WEEK_SECONDS = 40.0
_ENDS = {"emitted": "to be sent", "deferred": "still waits"}
_WHO: tuple[BackfillWho, ...] = ("only_later", "now_and_later", "members_now")


async def show(asked: Asked, note: str = "") -> web.Response:
    """The summary as it is. Raises TryLater."""
    return respond((await _page_of(asked, note))[0])


async def _page_of(
    asked: Asked, note: str = "", problems: Sequence[FieldProblem] = ()
) -> tuple[BuilderSummaryPage, Distribution | None]:
    """The summary: what is wrong, or what it would do once it is live; and what it says, where that is right.

    Raises TryLater.
    """
    asked = asked.at(SUMMARY)
    base = BuilderSummaryPage(
        **asked.frame(tuple(problems), note),
        canonical=canonical_text(asked.draft.text),
        may_set_live=may(asked.mine.role, "distributions:set_live"),
        may_test=may(asked.mine.role, "distributions:test"),
        event=asked.form.get(EVENT, ""),
        event_note="As it was given" if asked.form.get(EVENT) else "",
    )
    try:
        planned = await replace(asked, draft=_as_live(asked)).plan()
    except DraftWrong as error:
        return replace(base, wrong=await forms.in_words(asked, error.problems)), None
    except ChangedMeanwhile as error:
        said = f"{error}: saving it shows what others changed"
        return replace(base, late=said), None
    rule = planned.distribution
    page = replace(
        base,
        sentences=sentences(rule, asked.mine.context.zone),
        plan=text.plan_lines(planned),
        warnings=planned.warnings,
        backfills=await _backfills(asked, planned),
        event=base.event or _sample(rule, asked.mine.project_id),
        is_ready=True,
        is_by_hand=TRIGGERS[rule.trigger.event].addressed,
        send_path=address(f"{base_of(asked.mine.project_id)}/sends/new", {"distribution": rule.id}),
    )
    return page, rule


async def mend(asked: Asked, step: str) -> web.Response:
    """A step, with what would be wrong with its keys once it is live. Raises TryLater."""
    try:
        await replace(asked, draft=_as_live(asked)).plan()
    except DraftWrong as error:
        found = [one for one in error.problems if forms.step_of(one.path) == step]
        return await forms.show(asked.at(step), found)
    except ChangedMeanwhile:
        pass  # told of where it is saved
    return await forms.show(asked.at(step))


def _as_live(asked: Asked) -> drafts.Draft:
    """The draft as it will be live, which is what is told; one that is paused or over stays so."""
    return asked.draft.with_status("LIVE") if asked.is_draft else asked.draft


async def _backfills(asked: Asked, planned: PlannedDraft) -> list[BackfillChoice]:
    """The customers whom it may go to at once, with their number; none where there is nothing to choose."""
    rule, pool = planned.distribution, asked.mine.pool
    if rule.trigger.event != BACKFILLED or not rule.trigger.segment or not asked.is_draft:
        return []
    reached, chosen = Reached(pool, asked.mine.project_id), rule.backfill.who if rule.backfill else "only_later"
    made = []
    for who in _WHO:
        backfill = None if who == "only_later" else Backfill(who=who)
        try:
            line = await reached.line(planned.before, msgspec.structs.replace(rule, backfill=backfill))
        except NotFound:
            return []  # upstream's own segment: nobody here knows who is in it
        said = (line or "nobody gets it now; each who enters from now on").removeprefix("backfill: ")
        made.append(BackfillChoice(who, said, who == chosen))
    return made


def _sample(rule: Distribution, project_id: str) -> str:
    return events.pretty(messages.sample_event(rule, project_id, None))


# -- an event --------------------------------------------------------------------------------------------------------


async def last_event(asked: Asked) -> web.Response:
    """The summary with the newest event of its trigger that is on its topic. Raises TryLater."""
    page, rule = await _page_of(asked)
    trigger = TRIGGERS.get(_event_type(asked))
    if trigger is None or rule is None:
        return respond(page)
    given, said = await events.newest(asked, trigger)
    return respond(replace(page, event=given or page.event, event_note=said))


def _event_type(asked: Asked) -> str:
    trigger = asked.values.get("trigger")
    return str(trigger.get("event")) if isinstance(trigger, dict) else str(trigger)


async def try_event(asked: Asked) -> web.Response:
    """The summary with all that an event would cause of this document. Raises TryLater."""
    page, rule = await _page_of(asked)
    if rule is None:
        return respond(page, text.UNPROCESSABLE)
    try:
        tried = await _tried(asked, msgspec.structs.replace(rule, status="LIVE"))
    except BadRecord as error:
        place = f"{error.path}: " if error.path else ""
        problems = [FieldProblem(EVENT, f"Event: {inert(place + str(error))}")]
        return respond((await _page_of(asked, problems=problems))[0], text.UNPROCESSABLE)
    return respond(replace(page, tried=tried))


async def _tried(asked: Asked, rule: Distribution) -> Tried:
    """The verdict of every condition, and the decisions. Raises BadRecord, TryLater."""
    mine, event = asked.mine, events.given(asked)
    customer = customer_of(event)
    applied = await Segments(mine.pool).changes.of(mine.project_id, [customer])
    memberships = KnownMemberships(applied, {}, of_all=True)
    zone = asked.project.zone
    profile, whose = await events.counted(asked, event)
    simulated = await asyncio.to_thread(simulate, event, [rule], profile, mine.now, zone, memberships=memberships)
    chosen = with_choices(simulated, await ConsentChoices(mine.pool).of(mine.project_id, customer))
    if not chosen.outcomes:
        return Tried(f"It does not react to “{event_words(simulated.event.type)}”.", (), ())
    (found,) = chosen.outcomes
    if not found.selected:
        return Tried("The event is about something else than its trigger names.", (), ())
    said = found.failure or ("It fits." if found.answer else "It does not fit.")
    if found.answer is None:
        said = f"It cannot be judged: {found.failure or 'a condition failed'}."
    return Tried(said, found.checks, [outcome_words(one) for one in found.decisions], whose)


# -- the last week ----------------------------------------------------------------------------------------------------


async def judge_week(asked: Asked) -> web.Response:
    """The summary with what it would have made of the events of the last week. Raises TryLater."""
    mine, (page, rule) = asked.mine, await _page_of(asked)
    if rule is None:
        return respond(page, text.UNPROCESSABLE)
    try:
        async with asyncio.timeout(_WEEK_SECONDS):
            found = await past_week(mine.pool, mine.wiring, mine.project_id, rule, asked.project.zone, mine.now)
    except (TryLater, TimeoutError, TidingsError) as error:
        said = "it takes too long" if isinstance(error, TimeoutError) else inert(error)
        return respond(replace(page, week=ShownWeek(f"It cannot be said what it would have sent: {said}.")))
    came = [ShownCame(_ENDS.get(one.outcome, one.outcome), sentence(one.reason), one.number) for one in found.came]
    return respond(replace(page, week=ShownWeek(_of_week(found), came)))


def _of_week(found: PastWeek) -> str:
    if found.since is None:
        less = "" if found.is_all else f" among the newest {MOST:,} records of its topic"
        return f"No event of its trigger came in the last week{less}."
    whole = "all that came in the last week" if found.is_all else f"the newest, since {found.since:%d %B %H:%M} UTC"
    known = (
        ""
        if found.has_profiles
        else " Judged by the profiles that the events bring along: others take too long to read."
    )
    would = f"{count_of(found.customers, 'customer')} would have had a message"
    return f"Of {count_of(found.events, 'event')} ({whole}): {would}.{known}"


# -- preflight -------------------------------------------------------------------------------------------------------


async def look_over(asked: Asked) -> web.Response:
    """The summary with all that would stop it from sending well. Raises TryLater."""
    mine, (page, rule) = asked.mine, await _page_of(asked)
    if rule is None:
        return respond(page, text.UNPROCESSABLE)
    if not page.may_test:
        return text.refused(asked.at(TEXT), "A preflight asks accounts and links, which needs the role of an editor")
    known = await distributions.known_to_drafts(mine.pool, mine.project_id)
    document = drafts.read(_as_live(asked).text)
    (candidate,) = messages.from_documents([replace(document, place="")], asked.project, known, mine.now)
    try:
        async with asyncio.timeout(_PREFLIGHT_SECONDS):
            found = await preflight(mine.pool, mine.wiring, asked.project, candidate, PreflightAsked(), mine.now)
    except (TryLater, TimeoutError, TidingsError) as error:
        said = "A server does not answer in time" if isinstance(error, TimeoutError) else inert(error)
        return respond(replace(page, preflight=ShownPreflight(f"It could not be looked over: {said}.", (), False)))
    paths = [path_of(one.pointer) for one in found.findings]
    places = await forms.places(asked, set(paths))
    shown = [_finding(one, places.get(path)) for one, path in zip(found.findings, paths, strict=True)]
    return respond(replace(page, preflight=ShownPreflight(_audience(found), shown, found.is_clear)))


def _finding(one: Finding, place: Place | None) -> ShownFinding:
    counted = f"{one.count:,} of {one.of:,}" if one.count is not None and one.of is not None else ""
    return ShownFinding(one.severity, MEANINGS[one.kind].said, one.reason, one.right, one.pointer, counted, place)


def _audience(found: Preflight) -> str:
    if not found.looked_at:
        return "Nobody is known whom it would go to yet: a sample stands for them."
    of = f"{count_of(found.audience, 'customer')} ({found.whence})"
    return f"Of {of}, {found.looked_at:,} were looked at; {found.gets:,} would get it."
