"""Explanations: why a message was or was not sent, and what would happen to an event."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from typing import Any, cast

import asyncpg
import msgspec

from agents.broker.reader import TopicReader
from agents.broker.wire import Wire
from agents.wiring import Wiring
from console.control.decision_search import PAGE, Reading, event_at, find_decisions, recorded_decisions
from console.control.events import customer_of
from console.control.known_memberships import KnownMemberships, MembershipRows
from console.control.meanwhile import meanwhile
from console.control.not_found import not_found
from console.control.refused_records import RefusedRecord, dead_letters_of
from console.control.rows import of_row
from schemas.decision import Decision
from schemas.distribution import Distribution
from schemas.errors import BadQuestion, TryLater
from schemas.events.triggers import TRIGGERS
from schemas.record import JsonObject
from schemas.topics import CUSTOMERS
from store.consent_choices import Choice, ConsentChoices
from store.read_models.search import Asked, Place, RecordedSearch
from store.segments import Segments
from store.send_rows import SendRow
from store.sending.deliveries import Deliveries
from store.sending.ledger import Ledger
from store.sending.status_events import StatusEvents
from store.sends import Sends
from streams.event_context import EventContext, Head
from streams.events import read_customer, read_event
from streams.index.rules import RuleIndex
from streams.match import Explained, explain_event
from streams.sending.outcome import EndState, outcome_of

_MOST = 200
"""Deliveries of a customer in a story, at most."""
_DELIVERY_ID = "dlv_"
_EVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Simulated:
    """An event, and for each distribution that reacts to its type the whole decision about it.

    `left` are the ids of distributions whose consent the customer has withdrawn with us.
    """

    event: Head[Any]
    outcomes: tuple[Explained, ...]
    left: frozenset[str] = frozenset()


def simulate(
    event: JsonObject,
    rules: Iterable[Distribution],
    profile: JsonObject | None,
    now: datetime,
    zone: tzinfo = UTC,
    *,
    memberships: KnownMemberships | None = None,
) -> Simulated:
    """The whole decision about an event, made at a moment in a project's zone. Raises InvalidEvent."""
    trigger = TRIGGERS.get(str(event.get("type")))
    topic = trigger.topic if trigger else next(iter(TRIGGERS.values())).topic
    key, project = customer_of(event).encode(), str(event.get("project_id"))  # it has no key: taken to be the right one
    head = read_event(event, topic, key, now=now, max_future=timedelta(days=36_500), default_project=project)
    index = RuleIndex(zone)
    for rule in rules:
        index.insert(rule)
    row = None
    if profile is not None:
        row = msgspec.json.encode(read_customer(profile, str(profile.get("id", "")).encode(), project))
    rows = MembershipRows(memberships or KnownMemberships())
    rows.take(head)
    context = EventContext(head, event, dict, row, segments=partial(rows.of, head.customer_id))
    return Simulated(head, tuple(explain_event(context, index, now)))


def stored_profile(wire: Wire, project_id: str, customer: str) -> JsonObject | None:
    """A customer's row as the matchers have it. Raises TryLater."""
    return stored_profiles(wire, project_id, [customer]).get(customer)


def stored_profiles(wire: Wire, project_id: str, customers: Collection[str]) -> dict[str, JsonObject]:
    """The rows of those customers who have one, read in one pass. Raises TryLater."""
    keys = {wire.key(project_id, customer).decode(): customer for customer in customers}
    with TopicReader(wire, CUSTOMERS) as reader:
        return {keys[key]: wire.codec(CUSTOMERS).decode(raw) for key, raw in reader.last_values(keys).items()}


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at a delivery."""

    delivery_id: str
    number: int
    at: datetime
    duration_ms: int
    outcome: str
    detail: str


@dataclass(frozen=True, slots=True)
class ActionTaken:
    """Something that a person did to a delivery."""

    delivery_id: str
    at: datetime
    action: str
    actor: str


@dataclass(frozen=True, slots=True)
class ReportedEnd:
    """An end of a delivery as its provider told it, after it took the message."""

    delivery_id: str
    outcome: str
    at: datetime


@dataclass(frozen=True, slots=True)
class DeliveryStory:
    """A delivery as the ledger has it, with its attempts, what people did to it, and what its provider reported."""

    delivery_id: str
    project_id: str
    distribution_id: str
    distribution_version: int
    event_id: str
    customer_id: str
    channel: str
    destination: str
    state: str
    reason: str | None
    detail: str
    provider_id: str | None
    attempts: int
    due_at: datetime
    created_at: datetime
    settled_at: datetime | None
    attempts_made: tuple[Attempt, ...]
    actions: tuple[ActionTaken, ...]
    reported: tuple[ReportedEnd, ...] = ()

    @property
    def outcome(self) -> str:
        """The public word for its end; `waiting` of one that is not over."""
        return self.state if self.state == "waiting" else outcome_of(cast(EndState, self.state), cast(Any, self.reason))


@dataclass(frozen=True, slots=True)
class CannotJudge:
    """A segment that cannot judge a customer, and why."""

    segment_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class RecordedEnd:
    """An end of a delivery, or a report of it, as recorders keep it: for longer than the ledger has the delivery."""

    delivery_id: str
    outcome: str
    at: datetime
    reason: str | None
    detail: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Asking:
    """The question of a story: of a customer or a delivery (`who`), an event, a code, or a distribution.

    Of events from `since` on and before `until`; behind `after`, which a page before named; only decisions with an
    outcome, or a reason. `delivery` is one, where `who` may be either, unless `is_customer`.
    `only_recorded`: no topic is read, and without `lag` Kafka is not even asked how much is missing.
    """

    who: str | None = None
    distribution: str | None = None
    event: str | None = None
    code: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    after: Place | None = None
    limit: int = PAGE
    from_topics: bool = False
    only_recorded: bool = False
    lag: bool = True
    delivery: str | None = None
    outcome: str | None = None
    reason: str | None = None
    is_customer: bool = False

    @property
    def is_all(self) -> bool:
        """True for all that is known of a customer, from the newest on."""
        narrower = self.event, self.code, self.since, self.until, self.after, self.outcome, self.reason
        return self.who is not None and not any(narrower)


@dataclass(frozen=True, slots=True)
class Story:
    """Everything known about a customer's messages: decisions, and deliveries with their attempts.

    And what kept messages from coming about: records that were dead-lettered, segments that cannot judge the profile,
    and what the customer has chosen on our own pages. `sends` are the manual ones that decisions belong to,
    `ends` those of deliveries that the ledger has no more.
    """

    decisions: tuple[Decision, ...]
    deliveries: tuple[DeliveryStory, ...]
    dead_letters: tuple[RefusedRecord, ...] = ()
    unjudged: tuple[CannotJudge, ...] = ()
    choices: tuple[Choice, ...] = ()
    sends: tuple[SendRow, ...] = ()
    ends: tuple[RecordedEnd, ...] = ()
    reading: Reading = Reading()

    @property
    def is_empty(self) -> bool:
        """True where nothing is known."""
        return not (self.decisions or self.deliveries or self.dead_letters or self.unjudged or self.choices)


async def story(pool: asyncpg.Pool, wiring: Wiring, project_id: str, asking: Asking, now: datetime) -> Story:
    """The story of a customer, of one delivery (`dlv_…`), or of what else is asked. Raises NotFound, BadQuestion."""
    asked = await _resolve(pool, project_id, asking)
    customer = asked.customer_id
    if not asking.is_all or customer is None or asked.delivery_id or asking.only_recorded:
        return await _told(pool, wiring, project_id, asking, asked, now)
    async with meanwhile(partial(dead_letters_of, wiring, wiring.key(project_id, customer))) as letters:
        found = await _told(pool, wiring, project_id, asking, asked, now)
        unjudged = await Segments(pool).unjudged_of_customer(project_id, customer)
        found = replace(found, unjudged=tuple(of_row(CannotJudge, row) for row in unjudged))
        try:
            return replace(found, dead_letters=await letters)
        except TryLater as error:
            notes = *found.reading.notes, f"{error}: dead-letters are not shown"
            return replace(found, reading=replace(found.reading, notes=notes))


async def _told(
    pool: asyncpg.Pool, wiring: Wiring, project_id: str, asking: Asking, asked: Asked, now: datetime
) -> Story:
    """The story without what kept messages from coming about."""
    if asking.only_recorded:
        decisions, reading = await recorded_decisions(pool, wiring, asked, now=now, limit=asking.limit, lag=asking.lag)
    else:
        keep = wiring.settings.retention.recorded
        decisions, reading = await find_decisions(
            pool, wiring, asked, keep=keep, now=now, limit=asking.limit, from_topics=asking.from_topics
        )
    rows, ends = await _rows_of(pool, asked, asking, decisions)
    found = Story(
        decisions,
        await _deliveries(pool, rows, asking.distribution),
        sends=await _sends_of(pool, project_id, decisions),
        ends=ends,
        reading=reading,
    )
    if not asking.is_all or asked.customer_id is None:
        return found
    return replace(found, choices=await ConsentChoices(pool).of(project_id, asked.customer_id))


async def _resolve(pool: asyncpg.Pool, project_id: str, asking: Asking) -> Asked:
    """The keys by which decisions are found. Raises NotFound for a delivery, or a code's owner, that is not known."""
    asked = Asked(
        project_id,
        customer_id=asking.who,
        event_id=asking.event,
        distribution_id=asking.distribution,
        since=asking.since,
        until=asking.until,
        after=asking.after,
        outcome=asking.outcome,
        reason=asking.reason,
    )
    delivery = asking.delivery
    if delivery is None and asking.who is not None and not asking.is_customer and asking.who.startswith(_DELIVERY_ID):
        delivery = asking.who
    elif delivery is not None and asking.who is not None:
        raise BadQuestion("goes without a customer: a delivery is of one alone", "delivery")
    if delivery is not None:
        customer, event = await owner_of(pool, project_id, delivery)
        asked = replace(asked, customer_id=customer, event_id=event, delivery_id=delivery)
    if asking.code is not None:
        published = await RecordedSearch(pool).of_code(project_id, asking.code)
        if published is None:
            raise not_found("published code", asking.code, see="tidings campaigns show CAMPAIGN")
        asked = replace(
            asked,
            customer_id=asked.customer_id or published.customer_id,
            event_id=published.event_id,
            distribution_id=asked.distribution_id or published.distribution_id,
        )
    if asked.customer_id is None and asked.event_id is None and asked.distribution_id is None:
        raise BadQuestion("nothing is asked for: name a customer, a delivery, an event, a code or a distribution")
    return asked


async def delivery(pool: asyncpg.Pool, project_id: str, delivery_id: str) -> DeliveryStory:
    """One delivery that the ledger still has, with its attempts. Raises NotFound."""
    rows = await Ledger(pool).deliveries_with(project_id, [delivery_id])
    if not rows:
        raise not_found("delivery", delivery_id, see="tidings deliveries list")
    (found,) = await _deliveries(pool, rows, None)
    return found


async def owner_of(pool: asyncpg.Pool, project_id: str, delivery_id: str) -> tuple[str, str]:
    """The customer and the event of a delivery, which recorders know for longer than the ledger. Raises NotFound."""
    rows = await Ledger(pool).deliveries_with(project_id, [delivery_id])
    if rows:
        return rows[0]["customer_id"], rows[0]["event_id"]
    owner = await RecordedSearch(pool).of_delivery(project_id, delivery_id)
    if owner is None:
        raise not_found("delivery", delivery_id, see="tidings deliveries list")
    return owner


async def _rows_of(
    pool: asyncpg.Pool, asked: Asked, asking: Asking, decisions: Sequence[Decision]
) -> tuple[list[asyncpg.Record], tuple[RecordedEnd, ...]]:
    """The ledger's deliveries of a customer, or of decisions; and how those ended that it has no more."""
    ledger, project_id = Ledger(pool), asked.project_id
    rows: list[asyncpg.Record] = []
    if asking.is_all and asked.customer_id and not asked.delivery_id:
        rows = await ledger.deliveries_of(project_id, asked.customer_id, _MOST)
    decided = {one.delivery_id for one in decisions} | {asked.delivery_id}
    wanted = {one for one in decided if one} - {row["delivery_id"] for row in rows}
    if wanted:
        rows += await ledger.deliveries_with(project_id, sorted(wanted))
    missing = sorted(wanted - {row["delivery_id"] for row in rows})
    if not missing:
        return rows, ()
    since = min((event_at(one) for one in decisions if one.delivery_id), default=_EVER)
    found = await RecordedSearch(pool).ends(project_id, missing, since)
    return rows, tuple(of_row(RecordedEnd, row) for row in found)


async def _sends_of(pool: asyncpg.Pool, project_id: str, decisions: Iterable[Decision]) -> tuple[SendRow, ...]:
    """The manual sends that decisions belong to, as far as they are there."""
    named = sorted({one.event.send_id for one in decisions if one.event.send_id})
    found = [await Sends(pool).find(project_id, one) for one in named]
    return tuple(one for one in found if one is not None)


async def _deliveries(
    pool: asyncpg.Pool, rows: Sequence[Mapping[str, Any]], distribution: str | None
) -> tuple[DeliveryStory, ...]:
    chosen = [row for row in rows if distribution in (None, row["distribution_id"])]
    if not chosen:
        return ()
    ids = [row["delivery_id"] for row in chosen]
    attempts = [of_row(Attempt, row) for row in await Ledger(pool).attempts_of(ids)]
    actions = [of_row(ActionTaken, row) for row in await Deliveries(pool).actions_of(ids)]
    projects = {row["project_id"] for row in chosen}
    reported = [of_row(ReportedEnd, row) for project in projects for row in await StatusEvents(pool).of(project, ids)]
    return tuple(
        of_row(
            DeliveryStory,
            row,
            attempts_made=tuple(one for one in attempts if one.delivery_id == row["delivery_id"]),
            actions=tuple(one for one in actions if one.delivery_id == row["delivery_id"]),
            reported=tuple(one for one in reported if one.delivery_id == row["delivery_id"]),
        )
        for row in chosen
    )
