"""`/p/<project>/distributions/<id>`: one distribution, how far its messages came, and its versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aiohttp import web

from console.control import archive, distribution_versions, distributions
from console.control.deliveries import NO_REASON
from console.control.distribution_versions import ShownVersion as VersionAsWritten
from console.control.ending import OVER
from console.control.funnel import DEFAULT_SINCE, Funnel, ReasonCount, StepName, funnel, read_range
from console.control.over_time import Part, Range
from console.web.chart import chart
from console.web.pages import FieldProblem, respond
from console.web.project_pages import (
    ActName,
    Choice,
    DistributionPage,
    ShownChange,
    ShownReason,
    ShownStep,
    ShownVersion,
)
from console.web.projects import ProjectRoute, ProjectVisit, base_of, distribution_path
from console.web.reasons import sentence
from console.web.resend import resend_path
from console.web.summary import sentences
from console.web.tables import address
from console.web.visit import whole_number
from console.web.words import change, inert, share
from schemas.access import may
from schemas.distribution import Distribution
from schemas.errors import BadQuestion
from store.distributions import KeptVersion

_PERIODS: Mapping[str, str] = {"24h": "24 hours", "7d": "7 days", "30d": "30 days", "90d": "90 days"}
_VERSIONS = 20
_LAST_VERSION = 2**31 - 2
_FULL = 100.0
_STEPS: Mapping[StepName, tuple[str, str]] = {
    "matched": ("Matched", "events whose trigger and conditions fit, for each channel"),
    "decided": ("Decided", "of those, messages that are to be sent"),
    "sent": ("Sent", "of those, taken by a provider or an endpoint"),
    "delivered": ("Delivered", "of what was sent, as providers report it"),
    "opened": ("Opened", "of what was sent, by customers who agree to be tracked"),
    "clicked": ("Clicked", "of what was sent, by customers who agree to be tracked"),
    "redeemed": ("Redeemed", "codes of its messages, whenever those went out"),
}
_LISTED: Mapping[StepName, str] = {"decided": "emitted", "sent": "sent", "delivered": "delivered"}
"""Of steps that a list of messages shows, the outcome that it is of."""
_REPORTED: Mapping[str, str] = {
    "bounced": "it came back after its provider had taken it",
    "complained": "the customer reported it as unwanted",
}


async def show_one(mine: ProjectVisit) -> web.Response:
    """One of them. Raises NotFound, BadQuestion, TryLater."""
    return await page_of_one(mine, mine.text("id"))


async def page_of_one(
    mine: ProjectVisit, identity: str, wrong: Sequence[FieldProblem] = (), *, is_managed: bool = False
) -> web.Response:
    """One of them, with what is wrong with a step of its life. Raises NotFound, BadQuestion, TryLater."""
    rule = await distributions.find(mine.pool, mine.project_id, identity)
    asked, problems = _range(mine)
    problems = (*wrong, *problems)
    numbers = await funnel(mine.pool, mine.context, rule.id, asked)
    number = _number(mine, "version", rule.version)
    chosen = await distribution_versions.shown(mine.pool, mine.project_id, rule.id, number)
    newest = await distributions.version(mine.pool, mine.project_id, rule.id, rule.version)
    rows, older = await _versions(mine, rule, number)
    path, _, query = distribution_path(mine.project_id, rule.id).partition("?")
    page = DistributionPage(
        title=inert(rule.name),
        here=f"{base_of(mine.project_id)}/distributions",
        problems=problems,
        path=path,
        names_id=bool(query),
        distribution=rule.id,
        status=rule.status,
        version=rule.version,
        applied_by=newest.applied_by,
        applied_at=newest.applied_at,
        sentences=sentences(rule, mine.context.zone),
        periods=_periods(mine, rule),
        since=mine.query.get("since", DEFAULT_SINCE),
        until=mine.query.get("until", ""),
        range_since=asked.since,
        range_until=asked.until,
        steps=_steps(mine, rule, numbers, asked),
        chart=chart(numbers.over_time, lambda part: _list_of_part(mine, rule, part)),
        reasons=_reasons(mine, rule, numbers, asked),
        versions=rows,
        older=older,
        change=_change(chosen),
        yaml=chosen.text,
        missing=await mine.lag.in_words(mine.pool, mine.now),
        note=_note(mine, rule),
        acts=await _acts(mine, rule),
        at_once=await _at_once(mine, rule),
        is_managed=is_managed,
        **mine.frame,
    )
    return respond(page, 422 if problems else 200)


# -- steps of its life -----------------------------------------------------------------------------------------------


async def _acts(mine: ProjectVisit, rule: Distribution) -> list[tuple[ActName, str]]:
    """The buttons that somebody of this role has now, with their words. Raises TryLater."""
    operates, writes = may(mine.role, "distributions:operate"), may(mine.role, "distributions:write")
    found: list[tuple[ActName, str]] = []
    if operates and rule.status == "LIVE":
        found.append(("pause", "Pause"))
    if operates and rule.status == "PAUSED":
        found.append(("resume", "Go on"))
    if operates and rule.status in ("LIVE", "PAUSED"):
        found.append(("stop", "Stop it"))
    if writes and rule.status in OVER:
        found.append(("archive", "Archive it"))
    if writes and rule.status == "ARCHIVED":
        found.append(("restore", "Bring it back"))
    if writes and await archive.may_be_deleted(mine.pool, rule):
        found.append(("delete", "Delete it"))
    return found


async def _at_once(mine: ProjectVisit, rule: Distribution) -> str | None:
    """The sentence about who gets it at once where it goes on. Raises TryLater."""
    if rule.status != "PAUSED" or not may(mine.role, "distributions:operate"):
        return None
    return await distributions.at_once(mine.pool, mine.project_id, rule.id, "LIVE")


def _note(mine: ProjectVisit, rule: Distribution) -> str:
    """The sentence about what a button did, as far as it is still so."""
    match mine.query.get("did"), rule.status:
        case "pause", "PAUSED":
            return "Paused: it sends nothing until it goes on."
        case "resume", "LIVE":
            return "It goes on."
        case "stop", "STOPPED":
            return "Stopped: it reacts no more."
        case "archive", "ARCHIVED":
            return "Archived: it is out of the lists, and its past stays here."
        case "restore", "DRAFT" | "STOPPED" | "ENDED":
            return "It is back. It sends nothing until it is set live."
    return ""


def _range(mine: ProjectVisit) -> tuple[Range, tuple[FieldProblem, ...]]:
    """The range that is asked for; beside problems the one that there is without a question."""
    try:
        return read_range(mine.context, mine.query, mine.now), ()
    except BadQuestion as error:
        field = error.option if error.option in ("since", "until") else "since"
        problem = FieldProblem(field, f"{'From' if field == 'since' else 'Until'}: {inert(error.message)}")
        return read_range(mine.context, {}, mine.now), (problem,)


def _number(mine: ProjectVisit, name: str, otherwise: int) -> int:
    """A number of a version. Raises BadQuestion."""
    written = mine.query.get(name)
    if not written:
        return otherwise
    found = whole_number(written)
    if found is None:
        raise BadQuestion(f'"{written[:20]}" is not valid: must be the number of a version', name)
    return found


# -- numbers ---------------------------------------------------------------------------------------------------------


def _steps(mine: ProjectVisit, rule: Distribution, numbers: Funnel, asked: Range) -> list[ShownStep]:
    """The steps with bars, the longest of which is full. A step that none of its messages can make is left out."""
    widest = max(one.records for one in numbers.steps) or 1
    return [
        ShownStep(
            name=_STEPS[one.name][0],
            text=_STEPS[one.name][1],
            records=one.records,
            before=one.before,
            share=_share(share(one.share(numbers.steps)), one.base),
            change=change(one.records, one.before),
            width=round(one.records / widest * _FULL, 2),
            path=_list_of(mine, rule, asked, _LISTED[one.name]) if one.name in _LISTED and one.records else None,
        )
        for one in numbers.steps
        if one.records or one.before or one.name != "redeemed" or rule.publish
    ]


def _share(said: str, base: StepName | None) -> str:
    return f"{said} of {_STEPS[base][0].lower()}" if said and base else ""


def _reasons(mine: ProjectVisit, rule: Distribution, numbers: Funnel, asked: Range) -> list[ShownReason]:
    return [
        ShownReason(
            word="held" if one.outcome == "deferred" else one.outcome,
            text=sentence(one.reason or None) or _REPORTED.get(one.outcome, "its provider or endpoint did not take it"),
            records=one.records,
            path=_list_of(mine, rule, asked, one.outcome, one.reason or NO_REASON),
            resend=_resend(mine, rule, asked, one) if may(mine.role, "deliveries:operate") else None,
        )
        for one in numbers.reasons
    ]


def _resend(mine: ProjectVisit, rule: Distribution, asked: Range, one: ReasonCount) -> str | None:
    """The address on which they are sent again: those of the range."""
    reason = None if one.outcome in _REPORTED else one.reason or NO_REASON
    return resend_path(mine.project_id, rule.id, one.outcome, reason=reason, **_of_range(mine, asked))


def _list_of(mine: ProjectVisit, rule: Distribution, asked: Range, outcome: str, reason: str | None = None) -> str:
    """The address of the list of some messages: those of the range."""
    named = {"distribution": rule.id, "outcome": outcome, "reason": reason}
    if outcome in _REPORTED:
        named["reason"] = None
    return address(f"{base_of(mine.project_id)}/messages", {**named, **_of_range(mine, asked)})


def _list_of_part(mine: ProjectVisit, rule: Distribution, part: Part) -> str:
    """The address of the list of a part's messages."""
    named = {"distribution": rule.id, "since": part.since.isoformat(), "until": part.until.isoformat()}
    return address(f"{base_of(mine.project_id)}/messages", named)


def _of_range(mine: ProjectVisit, asked: Range) -> dict[str, str | None]:
    return {"since": asked.since.isoformat(), "until": asked.until.isoformat() if mine.query.get("until") else None}


def _periods(mine: ProjectVisit, rule: Distribution) -> list[Choice]:
    """Ranges until now, each an address."""
    chosen = None if mine.query.get("until") else mine.query.get("since") or DEFAULT_SINCE
    return [Choice(text, _of(mine, rule, since=since), since == chosen) for since, text in _PERIODS.items()]


# -- versions --------------------------------------------------------------------------------------------------------


async def _versions(mine: ProjectVisit, rule: Distribution, chosen: int) -> tuple[list[ShownVersion], str | None]:
    """Some versions, newest first, and the address of older ones."""
    before = _number(mine, "before", _LAST_VERSION)
    found = await distributions.versions(mine.pool, mine.project_id, rule.id, before, _VERSIONS + 1)
    rows = [_version(mine, rule, one, chosen) for one in found[:_VERSIONS]]
    older = _of(mine, rule, before=str(rows[-1].version)) + "#versions" if len(found) > _VERSIONS else None
    return rows, older


def _version(mine: ProjectVisit, rule: Distribution, one: KeptVersion, chosen: int) -> ShownVersion:
    path = _of(mine, rule, version=str(one.version), before=mine.query.get("before")) + "#versions"
    return ShownVersion(one.version, one.definition.status, one.applied_by, one.applied_at, path, one.version == chosen)


def _change(chosen: VersionAsWritten) -> ShownChange:
    return ShownChange(chosen.version.version, chosen.before, chosen.changes, chosen.lines)


def _of(mine: ProjectVisit, rule: Distribution, **changes: str | None) -> str:
    """The address of this page with another parameter; the range that was chosen stays unless it is what changes."""
    kept = {} if "since" in changes else {name: mine.query.get(name) for name in ("since", "until")}
    return address(distribution_path(mine.project_id, rule.id), {**kept, **changes})


def _names(routes: Sequence[str]) -> tuple[ProjectRoute, ...]:
    return tuple(ProjectRoute(path, "distributions:read", show_one, is_live=True) for path in routes)


ROUTES: tuple[ProjectRoute, ...] = _names(("/distributions/{id}", "/distribution"))
