"""Trials over HTTP: a distribution's messages word for word, what an event would cause, and one message as a test.

But for the test, nothing is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from console.api.documents import document_of
from console.api.events import EXAMPLE
from console.api.problems import in_body, of_document, refused
from console.api.route import PRIVATE, ById, Call, Instant, Name, Nothing, Reply, Route, Writing
from console.control import distributions, message_trial
from console.control.events import customer_of, of_project
from console.control.explain import simulate
from console.control.known_memberships import KnownMemberships
from console.control.left_with_us import with_choices
from console.control.message_trial import TrialOutcome, Wanted
from console.control.preview import messages
from console.control.preview.mailboxes import named_mailboxes, own_mailboxes
from console.control.preview.messages import Candidate, Previewed, Rendering
from console.control.preview.occasion import counting_profile
from schemas.closed import ChannelName
from schemas.decision import Check, Decision
from schemas.errors import BadQuestion, BadRecord, DefinitionInvalid
from schemas.formats.pointers import pointer_of
from schemas.record import JsonObject
from store.consent_choices import ConsentChoices
from store.segments import Segments
from streams.events import read_customer
from streams.match import Explained
from streams.upstream import unwrapped
from streams.values.wording import invalid

_FIRST, _LAST = datetime(1900, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)

Event = Annotated[JsonObject, Meta(description="One event, as the topics have it; `project_id` is the key's.")]
Profile = Annotated[
    JsonObject, Meta(description="The customer's profile that counts; `segments` lists those that they are in.")
]
To = Annotated[
    str,
    Meta(max_length=320, extra=PRIVATE, description="An e-mail address or a number, in place of the profile's own."),
]
Draft = Annotated[JsonObject, Meta(description="A distribution as a PUT takes it; it is not applied.")]
At = Annotated[Instant, Meta(description="The moment at which it is tried; now, where it is left out.")]


class PreviewAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An event to preview on, else a sample of the trigger's; one channel alone, one arm in place of the customer's.

    Without `customer` the profile counts that is kept of whom the event is about, if any, as for matchers.
    """

    event: Event | None = None
    customer: Profile | None = None
    channel: ChannelName | None = None
    arm: Name | None = None
    at: At | None = None


class MessagePreview(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it would leave. `facts` are its headers and body, its text, or a mail's parts, by channel.

    `failure` says what is in its way.
    """

    channel: ChannelName
    to: str
    facts: dict[str, Any]
    failure: str | None


class PreviewedDistribution(msgspec.Struct, frozen=True, kw_only=True):
    """The messages for one event. `withheld` says why it would send none as it stands, where that is so."""

    distribution: str
    version: int
    event: str
    withheld: str | None
    messages: list[MessagePreview]
    notes: list[str]


class SimulationAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An event to try on all distributions that are applied."""

    event: Event
    customer: Profile | None = None
    at: At | None = None


class SimulatedDistribution(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of a distribution to an event, with every test; `answer` is null where it could not be judged.

    `failure` says why not; `campaigns` are those of whose codes one would be drawn.
    """

    distribution: str
    version: int
    status: str
    is_selected: bool
    answer: bool | None
    failure: str | None
    checks: list[Check]
    decisions: list[Decision]
    campaigns: list[str]


class SimulatedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """The effects that an event would have now, by every distribution that reacts to its type."""

    event: str
    customer: str
    distributions: list[SimulatedDistribution]


class TrialAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A test to send: over a channel of the distribution, to an address or to that of the profile.

    `document` is a draft of the distribution in place of what is applied. Without `event` it is the sample of the
    trigger's; `channel` may be left out where there is one, or `to` says which. Without `customer` the profile counts
    that is kept of whom the event is about, if any, as for matchers.
    """

    to: To | None = None
    channel: ChannelName | None = None
    event: Event | None = None
    customer: Profile | None = None
    arm: Name | None = None
    document: Draft | None = None
    at: At | None = None


class SentTest(msgspec.Struct, frozen=True, kw_only=True):
    """A test, and the provider's answer: what a sender makes of it, and its own words without addresses.

    `test_id` stands where a delivery has its id. `version` is the one that applying a draft would make. A dry run has
    rendered it and asked nobody: `outcome` is null.
    """

    distribution: str
    version: int
    channel: ChannelName
    account: str
    test_id: str
    outcome: TrialOutcome | None
    detail: str
    provider_id: str | None
    dry_run: bool


async def preview_distribution(call: Call[ById, Nothing, PreviewAsked]) -> Reply:
    """Its messages, rendered in a thread: large ones take their time."""
    asked, now = call.body, _moment(call.body.at, call.now)
    candidate = await messages.from_store(call.pool, call.project_id, call.path.id)
    if asked.arm is not None:
        candidate = candidate.in_arm(asked.arm)
    event, profile = await _counted(call)
    names = named_mailboxes(candidate.distribution)
    rendering = Rendering.of(
        call.wiring.settings, await own_mailboxes(call.pool, call.wiring.settings, call.project_id, names)
    )
    given = event if event is not None else messages.sample_event(candidate.distribution, call.project_id, profile)
    with _places("/event"):
        of = candidate, given, profile, rendering, now, asked.channel
        found = await asyncio.to_thread(messages.preview, *of)
    return Reply(_shown(found))


async def test_distribution(call: Call[ById, Writing, TrialAsked]) -> Reply:
    """Send one message, as a test."""
    asked, settings, now = call.body, call.wiring.settings, _moment(call.body.at, call.now)
    candidate = await candidate_of(call)
    if asked.arm is not None:
        candidate = candidate.in_arm(asked.arm)
    event, profile = await _counted(call)
    wanted = Wanted(event, profile, asked.channel, asked.to)
    try:
        with _places("/event"):
            zone = settings.zone
            trial = await asyncio.to_thread(message_trial.trial_of, candidate, wanted, call.project_id, zone, now)
    except BadQuestion as error:
        raise refused("invalid", "", in_body(f"/{error.option}", error.message)) from None
    dry_run, delivery = call.query.dry_run, trial.delivery
    answered = await message_trial.send(call.pool, settings, trial, actor=call.actor, now=call.now, dry_run=dry_run)
    sent = SentTest(
        distribution=delivery.distribution.id, version=trial.version, channel=delivery.channel,
        account=delivery.account, test_id=delivery.delivery_id, outcome=answered.outcome, detail=answered.detail,
        provider_id=answered.provider_id, dry_run=dry_run,
    )  # fmt: skip
    return Reply(sent)


async def candidate_of(call: Call[ById, Any, Any]) -> Candidate:
    """The distribution as it is applied, or the draft in the request. Raises Refused, NotFound, TryLater."""
    draft = call.body.document
    if draft is None:
        return await messages.from_store(call.pool, call.project_id, call.path.id)
    named = draft.setdefault("distribution", call.path.id)
    if named != call.path.id:
        raise refused(
            "invalid", "", in_body("/document/distribution", invalid(named, f'"{call.path.id}", as in the path'))
        )
    with _places("/document"):
        known = await distributions.known_to_drafts(call.pool, call.project_id)
        (candidate,) = messages.from_documents([document_of(draft)], await call.project(), known, call.now)
    return candidate


async def _counted(call: Call[Any, Any, Any]) -> tuple[JsonObject | None, JsonObject | None]:
    """The same, where no profile is given with the one that is kept. Raises Refused, TryLater."""
    event, profile = _occasion(call)
    return event, await counting_profile(call.pool, call.project_id, event, profile)


def _occasion(call: Call[Any, Any, Any]) -> tuple[JsonObject | None, JsonObject | None]:
    """The event and the profile that are given, about one customer. Raises Refused."""
    event = None if call.body.event is None else _event(call, call.body.event)
    profile = _profile(call, call.body.customer)
    if event is not None and profile is not None and profile["id"] != customer_of(event):
        said = invalid(profile["id"], f'"{customer_of(event)}", whom the event is about')
        raise refused("invalid", "", in_body("/customer/id", said))
    return event, profile


async def simulate_event(call: Call[Any, Nothing, SimulationAsked]) -> Reply:
    """Each distribution's answer, with the segments and the choices that are kept here."""
    asked, now = call.body, _moment(call.body.at, call.now)
    event, profile = _event(call, asked.event), _profile(call, asked.customer)
    customer = customer_of(event)
    rules = await distributions.listed(call.pool, call.project_id)
    given = {} if profile is None or "segments" not in profile else {profile["id"]: profile["segments"]}
    applied = await Segments(call.pool).changes.of(call.project_id, [customer])
    memberships = KnownMemberships(applied, given, of_all=True)
    choices = await ConsentChoices(call.pool).of(call.project_id, customer)
    zone = (await call.project()).zone
    with _places("/event"):
        simulated = await asyncio.to_thread(simulate, event, rules, profile, now, zone, memberships=memberships)
    outcomes = list(map(_outcome, with_choices(simulated, choices).outcomes))
    return Reply(SimulatedEvent(event=simulated.event.id, customer=customer, distributions=outcomes))


def _moment(given: datetime | None, now: datetime) -> datetime:
    if given is None:
        return now
    if not _FIRST < given < _LAST:
        raise refused("invalid", "", in_body("/at", invalid(given.isoformat(), "a moment of the years 1900 to 8999")))
    return given


def _event(call: Call[Any, Any, Any], given: JsonObject) -> JsonObject:
    with _places("/event"):
        event = unwrapped(of_project(given, call.project_id), (), call.project_id)
    named = event.get("project_id")
    if named != call.project_id:
        said = invalid(named, f'"{call.project_id}", the project of the key, or left out')
        raise refused("invalid", "", in_body("/event/project_id", said))
    return event


def _profile(call: Call[Any, Any, Any], given: JsonObject | None) -> JsonObject | None:
    if given is None:
        return None
    with _places("/customer"):
        return read_customer(given, str(given.get("id", "")).encode(), call.project_id)


@contextmanager
def _places(at: str) -> Iterator[None]:
    """Names what is wrong with a part of the body by its place in the whole."""
    try:
        yield
    except BadRecord as error:
        raise refused("invalid", "", in_body(at + pointer_of(error.path), str(error))) from None
    except DefinitionInvalid as error:
        found = map(of_document, error.problems)
        raise refused(
            "invalid", "", *(msgspec.structs.replace(one, pointer=f"{at}{one.pointer or ''}") for one in found)
        ) from None


def _shown(found: Previewed) -> PreviewedDistribution:
    made = [
        MessagePreview(channel=one.channel, to=one.to, facts=dict(one.facts), failure=one.failure)
        for one in found.messages
    ]
    rule = found.distribution
    return PreviewedDistribution(
        distribution=rule.id, version=rule.version, event=found.event, withheld=found.withheld, messages=made,
        notes=list(found.notes),
    )  # fmt: skip


def _outcome(one: Explained) -> SimulatedDistribution:
    rule = one.distribution
    return SimulatedDistribution(
        distribution=rule.id, version=rule.version, status=rule.status, is_selected=one.selected, answer=one.answer,
        failure=one.failure, checks=one.checks, decisions=one.decisions,
        campaigns=[request.campaign for request in one.requests],
    )  # fmt: skip


ROUTES: tuple[Route, ...] = (
    Route(
        "POST", "/distributions/{id}/preview", "distributions:read",
        "Show its messages word for word, on a sample or on an event", preview_distribution,
        {200: PreviewedDistribution}, path_type=ById, body=PreviewAsked, is_safe=True, path_example={"id": "winback"},
        body_example={"customer": {"id": "c1", "name": "Ann", "email": "ann@shop.example"}},
    ),
    Route(
        "POST", "/distributions/{id}/test", "distributions:test",
        "Send one message to an address, marked as a test and counted nowhere", test_distribution, {200: SentTest},
        path_type=ById, query_type=Writing, body=TrialAsked, path_example={"id": "winback"},
        body_example={"to": "ann@shop.example", "customer": {"id": "c1", "name": "Ann"}},
    ),
    Route(
        "POST", "/simulate", "distributions:read", "Show what an event would cause, with every test", simulate_event,
        {200: SimulatedEvent}, body=SimulationAsked, is_safe=True,
        body_example={"event": EXAMPLE, "customer": {"id": "c1", "name": "Ann"}},
    ),
)  # fmt: skip
