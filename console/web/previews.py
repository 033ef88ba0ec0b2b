"""`/p/<project>/preview`: a distribution's messages, as senders would make them, and one of them as a test."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlsplit

import msgspec
from aiohttp import web

from console.control import message_trial
from console.control.message_trial import Answered, Wanted
from console.control.not_found import NotFound
from console.control.preview import messages
from console.control.preview.mailboxes import named_mailboxes, shown_mailboxes
from console.control.preview.messages import Candidate, Preview, Previewed, Rendering
from console.control.preview.newest import with_newest
from console.control.preview.occasion import Occasion, event_of, is_bare, kept_profile, profile_of
from console.web import frames
from console.web.pages import FieldProblem, respond
from console.web.project_templates import PreviewPage, ShownMessage
from console.web.projects import ProjectRoute, ProjectVisit, base_of, distribution_path
from console.web.tables import address
from console.web.words import inert
from schemas.access import Permission, may, roles_with
from schemas.closed import CHANNELS
from schemas.errors import BadQuestion, BadRecord, DefinitionInvalid, TidingsError, TryLater
from schemas.record import JsonObject

PATH = "/preview"
_FIELDS = ("distribution", "arm", "channel", "customer", "message", "locale", "newest")
_SEES_MESSAGES: Permission = "customers:export"
_SHOWN = ("subject", "text", "parts", "said", "method", "body")
"""Of a message; headers and addresses are shown to nobody."""
_OUTCOMES: Mapping[str, str] = {
    "accepted": "It was taken", "deferred": "It was not taken now; a sender would try again",
    "throttled": "The provider takes no more now; a sender would wait", "unanswered": "Nobody answered in time",
    "refused": "It was refused", "blocked": "Our access was refused", "gone": "Where it goes is gone",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Shown:
    """A distribution to show, the event that it is shown on, and whose profile counts, in a sentence."""

    candidate: Candidate
    event: JsonObject
    profile: JsonObject | None
    whose: str


async def show(mine: ProjectVisit) -> web.Response:
    """The messages. Raises NotFound, TryLater."""
    asked = _asked(mine.query)
    try:
        found = await _shown(mine, asked)
        made = await _previewed(mine, asked, found)
    except TryLater:
        raise
    except NotFound as error:
        if error.kind == "distribution":
            raise
        return await _page(mine, asked, None, None, [FieldProblem(_field(error), inert(error))])
    except (TidingsError, BadRecord) as error:
        return await _page(mine, asked, None, None, [FieldProblem("main", inert(error))])
    return await _page(mine, asked, found, made)


async def frame(mine: ProjectVisit) -> web.Response:
    """An e-mail of it, for a frame. Raises TryLater."""
    asked = _asked(mine.query)
    try:
        made = await _previewed(mine, asked, await _shown(mine, asked))
    except TryLater:
        raise
    except (TidingsError, BadRecord) as error:
        return frames.failed("Preview", str(error))
    number = mine.query.get("n", "")
    at = int(number) if number in set(map(str, range(len(made.messages)))) else 0
    mail = made.messages[at] if made.messages else None
    if mail is None or mail.failure or mail.channel != "email":
        return frames.failed("Preview", (mail and mail.failure) or "there is no such e-mail")
    facts = [(name.capitalize(), str(mail.facts[name])) for name in ("subject", "from") if name in mail.facts]
    text, page, about = str(mail.facts.get("text", "")), mail.facts.get("html"), asked["customer"] or asked["message"]
    return frames.shown("Preview", facts, text, page, mail.raw, is_about_somebody=bool(about))


async def test(mine: ProjectVisit) -> web.Response:
    """Send one of them to an address, marked as a test and counted nowhere. Raises NotFound, TryLater."""
    form = await mine.visit.form()
    asked, to = _asked(form if form.get("distribution") else mine.query), form.get("to", "").strip()
    channel: Any = asked["channel"] if asked["channel"] in CHANNELS else None
    found: _Shown | None = None
    made: Previewed | None = None
    try:
        if not form.get("distribution"):
            raise TidingsError("nothing was asked for: choose a distribution, and what to send of it")
        found = await _shown(mine, asked)
        made = await _previewed(mine, asked, found)
        wanted = Wanted(found.event, found.profile, channel, to or None)
        zone = mine.wiring.settings.zone
        trial = await asyncio.to_thread(
            message_trial.trial_of, found.candidate, wanted, mine.project_id, zone, mine.now
        )
        answered = await message_trial.send(mine.pool, mine.wiring.settings, trial, actor=mine.actor, now=mine.now)
    except BadQuestion as error:
        field = error.option if error.option in ("to", "channel") else "main"
        return await _page(
            mine, asked, found, made, [FieldProblem(field, f"{field.capitalize()}: {inert(error.message)}")], to=to
        )
    except TryLater:
        raise
    except NotFound as error:
        if error.kind == "distribution":
            raise
        return await _page(mine, asked, None, None, [FieldProblem(_field(error), inert(error))], to=to)
    except (TidingsError, BadRecord) as error:
        return await _page(mine, asked, found, made, [FieldProblem("main", inert(error))], to=to)
    return await _page(mine, asked, found, made, note=_answer(answered), to=to)


def _answer(answered: Answered) -> str:
    said = _OUTCOMES[answered.outcome or "unanswered"]
    return f"The test was sent. {said}{f': {inert(answered.detail)}' if answered.detail else ''}."


def _asked(given: Mapping[str, str]) -> dict[str, str]:
    return {name: given.get(name, "").strip().replace("\0", "") for name in _FIELDS}


def _field(error: NotFound) -> str:
    return error.kind if error.kind in ("customer", "message") else "main"


async def _shown(mine: ProjectVisit, asked: Mapping[str, str]) -> _Shown:
    """The distribution and the event that are asked for. Raises NotFound, TidingsError, TryLater."""
    candidate = await messages.from_store(mine.pool, mine.project_id, asked["distribution"])
    if asked["newest"] == "yes":
        try:
            candidate = await with_newest(mine.pool, mine.context, candidate, mine.now)
        except DefinitionInvalid as error:
            raise TidingsError("; ".join(f"{one.path}: {one.message}" for one in error.problems)) from error
    if asked["arm"]:
        candidate = candidate.in_arm(asked["arm"])
    event, profile, whose = await _about(mine, asked, candidate)
    if asked["locale"]:
        profile = {**(profile or event["data"]["customer"]), "locale": asked["locale"]}
        whose = f"{whose} But in the locale {asked['locale']}."
    return _Shown(candidate, event, profile, whose)


async def _about(
    mine: ProjectVisit, asked: Mapping[str, str], candidate: Candidate
) -> tuple[JsonObject, JsonObject | None, str]:
    """The event, the profile that counts in place of its own, and whose it is.

    Raises NotFound, TidingsError, TryLater.
    """
    if not asked["message"]:
        profile = await profile_of(mine.pool, mine.project_id, asked["customer"]) if asked["customer"] else None
        whose = f"The profile of {asked['customer']} as it is kept now." if profile else "The profile is a sample."
        return messages.sample_event(candidate.distribution, mine.project_id, profile), profile, whose
    if not may(mine.role, _SEES_MESSAGES):
        raise TidingsError(f"what a message was made of is for {' and '.join(roles_with(_SEES_MESSAGES))}")
    event = await event_of(mine.pool, mine.project_id, Occasion(message=asked["message"]))
    if is_bare(event["data"].get("customer")):
        kept = await kept_profile(mine.pool, mine.project_id, event)
        if kept is not None:
            return event, kept, "The profile as it is kept now: the message was made of an id alone."
    return event, None, "The profile that counted when the message was made."


async def _previewed(mine: ProjectVisit, asked: Mapping[str, str], found: _Shown) -> Previewed:
    """Each channel's message. Raises TidingsError, InvalidEvent."""
    settings, names = mine.wiring.settings, named_mailboxes(found.candidate.distribution)
    rendering = Rendering.of(settings, await shown_mailboxes(mine.pool, settings, mine.project_id, names))
    of = found.candidate, found.event, found.profile, rendering, mine.now, asked["channel"] or None
    return await asyncio.to_thread(messages.preview, *of)


async def _page(
    mine: ProjectVisit,
    asked: Mapping[str, str],
    found: _Shown | None,
    made: Previewed | None,
    problems: Sequence[FieldProblem] = (),
    *,
    note: str = "",
    to: str = "",
) -> web.Response:
    stored = found.candidate if found else await messages.from_store(mine.pool, mine.project_id, asked["distribution"])
    rule, path = stored.distribution, base_of(mine.project_id) + PATH
    page = PreviewPage(
        title=f"Preview {inert(rule.name)}",
        here=f"{base_of(mine.project_id)}/distributions",
        problems=problems,
        path=path,
        distribution=rule.id,
        distribution_path=distribution_path(mine.project_id, rule.id),
        version=rule.version,
        arms=[one.id for one in rule.arms],
        channels=list(dict.fromkeys(plan.channel for _, plan in rule.plans())),
        asked=asked,
        messages=[_message(path, asked, number, one) for number, one in enumerate(made.messages if made else ())],
        withheld=(made.withheld or "") if made else "",
        notes=made.notes if made else (),
        whose=found.whose if found else "",
        may_test=may(mine.role, "distributions:test"),
        note=note,
        to=to,
        **mine.frame,
    )
    return respond(page, 422 if problems else 200)


def _message(path: str, asked: Mapping[str, str], number: int, one: Preview) -> ShownMessage:
    if one.channel == "email" and not one.failure:
        return ShownMessage(one.channel, (), address(f"{path}/frame", {**asked, "n": str(number)}), "")
    secret = urlsplit(one.to).query if one.channel == "webhook" else ""  # which the body repeats
    texts = ((name.capitalize(), _text(one.facts[name])) for name in _SHOWN if name in one.facts)
    facts = [(name, text.replace(secret, "…") if secret else text) for name, text in texts]
    return ShownMessage(one.channel, facts, "", one.failure or "")


def _text(fact: object) -> str:
    if isinstance(fact, msgspec.Raw):
        return msgspec.json.format(bytes(cast(Any, fact)), indent=2).decode()
    return str(fact)


ROUTES: tuple[ProjectRoute, ...] = (
    ProjectRoute(PATH, "distributions:read", show),
    ProjectRoute(f"{PATH}/frame", "distributions:read", frame),
    ProjectRoute(PATH, "distributions:test", test, "POST"),
)
