"""Explanations: why a message was or was not sent, and what would happen to an event."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from typing import Any, cast

import asyncpg
import msgspec

from agents.broker.reader import TopicReader
from agents.broker.wire import Wire
from console.control import dead_letters
from console.control.events import customer_of
from console.control.known_memberships import KnownMemberships, MembershipRows
from console.control.not_found import not_found
from console.control.rows import of_row
from schemas.dead_letter import DeadLetter
from schemas.decision import Decision
from schemas.distribution import Distribution
from schemas.events.triggers import TRIGGERS
from schemas.record import JsonObject
from schemas.topics import CUSTOMERS, DEAD_LETTERS, DECISIONS
from schemas.wire.read_as import read_as
from store.consent_choices import Choice, ConsentChoices
from store.segments import Segments
from store.sending.deliveries import Deliveries
from store.sending.ledger import Ledger
from store.sending.status_events import StatusEvents
from store.sends import SendRow, Sends
from streams.event_context import EventContext, Head
from streams.events import read_customer, read_event
from streams.index.rules import RuleIndex
from streams.match import Explained, explain_event
from streams.sending.outcome import EndState, outcome_of

_MOST = 200
"""Deliveries of a customer in a story, at most."""
_DELIVERY_ID = "dlv_"


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
class RefusedRecord:
    """A record that was dead-lettered: its place among them, where it was read, and why it was refused."""

    place: str
    record: str
    facts: DeadLetter


@dataclass(frozen=True, slots=True)
class CannotJudge:
    """A segment that cannot judge a customer, and why."""

    segment_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Story:
    """Everything known about a customer's messages: decisions, and deliveries with their attempts.

    And what kept messages from coming about: records that were dead-lettered, segments that cannot judge the profile,
    and what the customer has chosen on our own pages. `sends` are the manual ones that decisions belong to.
    """

    decisions: tuple[Decision, ...]
    deliveries: tuple[DeliveryStory, ...]
    dead_letters: tuple[RefusedRecord, ...] = ()
    unjudged: tuple[CannotJudge, ...] = ()
    choices: tuple[Choice, ...] = ()
    sends: tuple[SendRow, ...] = ()

    @property
    def is_empty(self) -> bool:
        """True where nothing is known."""
        return not (self.decisions or self.deliveries or self.dead_letters or self.unjudged or self.choices)


async def story(pool: asyncpg.Pool, wire: Wire, project_id: str, who: str, distribution: str | None = None) -> Story:
    """The story of a customer, or of one delivery (`dlv_…`). Raises NotFound for a delivery that is not known."""
    if who.startswith(_DELIVERY_ID):
        return await _of_delivery(pool, wire, project_id, who, distribution)
    rows, key = await Ledger(pool).deliveries_of(project_id, who, _MOST), wire.key(project_id, who)
    found = await asyncio.to_thread(_decisions_of, wire, key)
    decisions = tuple(one for one in found if distribution in (None, one.distribution.id))
    return Story(
        decisions,
        await _deliveries(pool, rows, distribution),
        await asyncio.to_thread(dead_letters_of, wire, key),
        tuple(of_row(CannotJudge, row) for row in await Segments(pool).unjudged_of_customer(project_id, who)),
        await ConsentChoices(pool).of(project_id, who),
        await _sends_of(pool, project_id, decisions),
    )


async def _of_delivery(
    pool: asyncpg.Pool, wire: Wire, project_id: str, identity: str, distribution: str | None
) -> Story:
    row = await Ledger(pool).delivery(identity)
    if row is None or row["project_id"] != project_id:
        raise not_found("delivery", identity, see="tidings deliveries list")
    found = await asyncio.to_thread(_decisions_of, wire, wire.key(project_id, row["customer_id"]))
    decisions = tuple(
        one for one in found if one.delivery_id == identity and distribution in (None, one.distribution.id)
    )
    choices = await ConsentChoices(pool).of(project_id, row["customer_id"])
    sends = await _sends_of(pool, project_id, decisions)
    return Story(decisions, await _deliveries(pool, [row], distribution), choices=choices, sends=sends)


async def _sends_of(pool: asyncpg.Pool, project_id: str, decisions: Iterable[Decision]) -> tuple[SendRow, ...]:
    """The manual sends that decisions belong to, as far as they are there."""
    named = sorted({one.event.send_id for one in decisions if one.event.send_id})
    found = [await Sends(pool).find(project_id, one) for one in named]
    return tuple(one for one in found if one is not None)


async def _deliveries(
    pool: asyncpg.Pool, rows: Sequence[Mapping[str, Any]], distribution: str | None
) -> tuple[DeliveryStory, ...]:
    chosen = [row for row in rows if distribution in (None, row["distribution_id"])]
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


def _decisions_of(wire: Wire, key: bytes) -> list[Decision]:
    codec = wire.codec(DECISIONS)
    with TopicReader(wire, DECISIONS) as reader:
        partition = reader.partition_of(key.decode())
        mine = [message.value() for message in reader.until_now([partition]) if message.key() == key]
    return [read_as(codec.decode(value), Decision) for value in mine if value]


def dead_letters_of(wire: Wire, key: bytes) -> tuple[RefusedRecord, ...]:
    """Dead-letters of a customer, whatever partition they are on: they have the record's key. Raises TryLater."""
    with TopicReader(wire, DEAD_LETTERS) as reader:
        mine = [one for one in dead_letters.select(reader, dead_letters.Filter()) if one.message.key() == key]
    return tuple(RefusedRecord(one.place, one.source, one.facts) for one in mine)
