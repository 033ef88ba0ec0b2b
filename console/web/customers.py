"""`/p/<project>/customers`: customers found by what is known of them; with `?id=…` one, and what was decided on them.

The id stands among the parameters: in a path, some of the characters that it may have mean something else. What is
sought is an address, mostly, and stands in the form alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from aiohttp import web

from console.control.customer_search import FoundCustomer
from console.control.customer_search import find as find_customers
from console.control.decision_search import read_cursor
from console.control.explain import DeliveryStory, RecordedEnd, Story
from console.control.holds import HoldSummary
from console.control.left_with_us import choice_words
from console.control.timelines import CustomerTimeline, timeline
from console.web.pages import FieldProblem, respond, see
from console.web.project_pages import (
    CustomerPage,
    CustomersPage,
    FoundRow,
    Letter,
    LetterStep,
    ShownHold,
    ShownProfile,
    ShownSegment,
)
from console.web.projects import ProjectRoute, ProjectVisit, base_of, distribution_path, message_path
from console.web.reasons import sentence
from console.web.tables import address
from console.web.words import exact, inert
from schemas.decision import Decision
from schemas.errors import BadQuestion
from store.known_customers import KnownCustomers

_ON_A_PAGE = 50
_FACTS = (
    ("name", "Name"), ("email", "E-mail"), ("phone", "Phone"), ("locale", "Locale"), ("timezone", "Time zone"),
    ("birthday", "Birthday"), ("source_id", "Source id"),
)  # fmt: skip


async def show_customer(mine: ProjectVisit) -> web.Response:
    """The form, and whom it asks for. Raises BadQuestion."""
    path, identity = f"{base_of(mine.project_id)}/customers", mine.query.get("id", "")
    distribution = mine.query.get("distribution", "").strip() or None
    if not identity:
        return respond(CustomersPage(title="Customers", here=path, **mine.frame))
    cursor = mine.query.get("cursor")
    found = await timeline(
        mine.pool, mine.wiring, mine.project_id, identity, mine.now, read_cursor(cursor) if cursor else None,
        _ON_A_PAGE, distribution=distribution, lag=False,
    )  # fmt: skip
    profile = await KnownCustomers(mine.pool).profile(mine.project_id, identity)
    older = found.story.reading.older
    asked = {"id": identity, "distribution": distribution}
    page = CustomerPage(
        title=f"Customer {inert(identity)}",
        here=path,
        customer=identity,
        distribution=distribution or "",
        profile=None if profile is None else _profile(profile),
        letters=letters(mine, found.story),
        holds=[_hold(mine, one) for one in found.holds],
        segments=_segments(found),
        choices=[choice_words(one) for one in found.choices],
        first=address(path, asked) if cursor else None,
        next=address(path, {**asked, "cursor": older}) if older else None,
        missing=await mine.lag.in_words(mine.pool, mine.now),
        **mine.frame,
    )
    return respond(page)


async def find(mine: ProjectVisit) -> web.Response:
    """Customers by what is known of them; where it is one alone, their page."""
    path, sought = f"{base_of(mine.project_id)}/customers", (await mine.visit.form()).get("text", "")
    try:
        found, is_more = await find_customers(KnownCustomers(mine.pool), mine.project_id, sought, _ON_A_PAGE)
    except BadQuestion as error:
        problems = [FieldProblem("text", inert(error))]
        return respond(CustomersPage(title="Customers", here=path, sought=sought, problems=problems, **mine.frame), 422)
    if len(found) == 1:
        return see(address(path, {"id": found[0].customer_id}))
    rows = [_found(path, one) for one in found]
    page = CustomersPage(title="Customers", here=path, sought=sought, found=rows, more=is_more, **mine.frame)
    return respond(page)


def letters(mine: ProjectVisit, story: Story) -> list[Letter]:
    """Each event with the decisions of a distribution about it, and what they caused; the newest event first.

    Deliveries of which no decision is kept come last.
    """
    deliveries = {one.delivery_id: one for one in story.deliveries}
    ends: dict[str, list[RecordedEnd]] = {}
    for end in story.ends:
        ends.setdefault(end.delivery_id, []).append(end)
    together: dict[tuple[str, str], list[Decision]] = {}
    for decision in story.decisions:
        together.setdefault((decision.event.id, decision.distribution.id), []).append(decision)
    found = [_letter(mine, one, deliveries, ends) for one in together.values()]
    found.reverse()
    rest = [
        Letter(one.created_at, "a delivery", one.event_id, one.distribution_id,
               distribution_path(mine.project_id, one.distribution_id), one.distribution_version, (),
               _of_delivery(mine, one))
        for one in deliveries.values()
    ]  # fmt: skip
    return found + rest


def _letter(
    mine: ProjectVisit,
    decisions: Sequence[Decision],
    deliveries: dict[str, DeliveryStory],
    ends: dict[str, list[RecordedEnd]],
) -> Letter:
    """One event and one distribution. What it shows of deliveries is taken out of those that are left."""
    first, steps = decisions[0], list[LetterStep]()
    for one in decisions:
        steps.append(_of_decision(mine, one))
        delivery = deliveries.pop(one.delivery_id or "", None)
        steps += _of_delivery(mine, delivery) if delivery else ()
        steps += (
            LetterStep(end.at, end.outcome, joined(sentence(end.reason), end.detail))
            for end in ends.pop(one.delivery_id or "", ())
        )
    event, rule = first.event, first.distribution
    path = distribution_path(mine.project_id, rule.id)
    return Letter(event.created_at, event.type, event.id, rule.id, path, rule.version, first.checks, steps)


def _of_decision(mine: ProjectVisit, one: Decision) -> LetterStep:
    channel = one.channel or "all channels"
    arm = f", arm {one.arm}" if one.arm else ""
    if one.outcome == "emitted":
        path = message_path(mine.project_id, one.delivery_id, one.event.id) if one.delivery_id else None
        return LetterStep(one.decided_at, "decided", f"{channel}{arm}: to be sent", one.delivery_id, path)
    until = f" until {exact(one.until, mine.context.zone)}" if one.until else ""
    word = "held" if one.outcome == "deferred" else one.outcome
    return LetterStep(one.decided_at, word, f"{channel}{arm}{until}: {joined(sentence(one.reason), one.detail)}")


def _of_delivery(mine: ProjectVisit, one: DeliveryStory) -> list[LetterStep]:
    """The attempts, what people did and what was reported, in order; and where it stands, if no attempt says so."""
    path = message_path(mine.project_id, one.delivery_id)
    steps = [
        LetterStep(made.at, made.outcome, f"{one.channel}, {one.destination}: {made.detail} "
                   f"(attempt {made.number}, {made.duration_ms} ms)", one.delivery_id, path)
        for made in one.attempts_made
    ]  # fmt: skip
    steps += (LetterStep(done.at, done.action, f"by {mine.people.get(done.actor, done.actor)}") for done in one.actions)
    steps += (LetterStep(end.at, end.outcome, "as its provider reported") for end in one.reported)
    steps.sort(key=lambda step: step.at)
    if one.state == "waiting":
        return [*steps, LetterStep(one.due_at, "waiting", joined("for this moment", sentence(one.reason), one.detail))]
    if not one.attempts_made or one.attempts_made[-1].outcome != one.state:
        at = one.settled_at or one.created_at
        return [*steps, LetterStep(at, one.outcome, joined(sentence(one.reason), one.detail))]
    return steps


def _found(path: str, one: FoundCustomer) -> FoundRow:
    texts = (one.name, one.email, one.phone, one.source_id)
    return FoundRow(one.customer_id, address(path, {"id": one.customer_id}), *(text or "" for text in texts))


def _profile(profile: dict[str, Any]) -> ShownProfile:
    """The fields that have a name of their own, where they are texts, and the consents."""
    facts = [(label, value) for name, label in _FACTS if isinstance(value := profile.get(name), str) and value]
    if isinstance(consents := profile.get("consents"), dict):
        facts += [(f"Consent {name}", "given" if value is True else "not given") for name, value in consents.items()]
    return ShownProfile(facts, msgspec.json.format(msgspec.json.encode(profile), indent=2).decode())


def _hold(mine: ProjectVisit, one: HoldSummary) -> ShownHold:
    path = distribution_path(mine.project_id, one.distribution_id)
    return ShownHold(one.distribution_id, path, sentence(one.reason), one.until_at, one.held_at)


def _segments(found: CustomerTimeline) -> list[ShownSegment]:
    return [ShownSegment(one.segment, one.since, one.cannot_judge) for one in found.segments]


def joined(*parts: str | None) -> str:
    """Some texts as one; what is said twice once."""
    return "; ".join(_distinct(part for part in parts if part))


def _distinct(parts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(parts))


ROUTES: tuple[ProjectRoute, ...] = (
    ProjectRoute("/customers", "customers:read", show_customer),
    ProjectRoute("/customers/find", "customers:read", find, "POST"),
)
