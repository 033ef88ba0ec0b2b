"""Why a message was or was not sent, and what would happen to an event."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import msgspec
from rich.markup import escape

from agents.broker.reader import TopicReader
from agents.clock import utc_now
from agents.wiring import Wiring
from console.cli.context import database
from console.cli.terminal import say, text
from console.control import dead_letters
from schemas.decision import Check, Decision
from schemas.distribution import Distribution
from schemas.errors import TidingsError
from schemas.events.triggers import TRIGGERS
from schemas.topics import CUSTOMERS, DEAD_LETTERS, DECISIONS
from schemas.wire.read_as import read_as
from store.segments import Segments
from store.sending.deliveries import Deliveries
from store.sending.ledger import Ledger
from streams import selection
from streams.event_context import EventContext, Head
from streams.events import read_customer, read_event
from streams.index.rules import RuleIndex
from streams.match import Explained, explain_event

_MARKS = {True: "[green]✓[/green]", False: "[red]✗[/red]", None: "[yellow]![/yellow]"}
_WIDTH = 52
_MOST = 200


def simulate(
    decoded: dict[str, Any],
    rules: list[Distribution],
    profile: dict[str, Any] | None,
    now: datetime,
    zone: tzinfo = UTC,
) -> tuple[Head[Any], list[Explained]]:
    """The whole decision about an event, made at a moment in a project's zone. Raises InvalidEvent."""
    trigger = TRIGGERS.get(str(decoded.get("type")))
    data = decoded.get("data")
    customer = data.get("customer") if isinstance(data, dict) else None
    key = str(customer.get("id", "") if isinstance(customer, dict) else "").encode()
    topic = trigger.topic if trigger else next(iter(TRIGGERS.values())).topic
    project = str(decoded.get("project_id"))  # an event in a file has no key: it is taken to have the right one
    head = read_event(decoded, topic, key, now=now, max_future=timedelta(days=36_500), default_project=project)
    index = RuleIndex(zone)
    for rule in rules:
        index.insert(rule)
    row = None
    if profile is not None:
        row = msgspec.json.encode(read_customer(profile, str(profile.get("id", "")).encode(), project))
    return head, explain_event(EventContext(head, decoded, dict, row), index, now)


def stored_profile(wiring: Wiring, customer: str, project_id: str | None = None) -> dict[str, Any] | None:
    """A customer's row as the matchers have it, of a project; without one, of the command's."""
    with TopicReader(wiring, CUSTOMERS) as reader:
        raw = reader.last_value(wiring.key(project_id or wiring.project, customer).decode())
    return None if raw is None else wiring.codec(CUSTOMERS).decode(raw)


def show_simulation(event: Head[Any], explained: list[Explained]) -> None:
    """For people."""
    say(f"[bold]{escape(event.type)}[/bold]  {event.id}  customer {escape(event.customer_id)}")
    if not explained:
        say("  no distribution reacts to this type")
    for one in explained:
        say(f"\n[bold]{escape(one.distribution.id)}[/bold] v{one.distribution.version}  {_verdict(one)}")
        for check in one.checks:
            _say_check(check)
        for decision in (*one.decisions, *(draft.decision for asked in one.requests for draft in asked.drafts)):
            _say_decision(decision)


def _verdict(one: Explained) -> str:
    if not one.selected:
        return f"selects another: {selection.said(one.distribution.trigger)}"
    if one.failure:
        return f"rule_error: {escape(one.failure)}"
    if not one.answer:
        return "does not match"
    for asked in one.requests:
        return f"would send with a code of {escape(asked.campaign)}; where none is left: {asked.when_empty}"
    return "would send" if one.deliveries else "would not send"


def _say_check(check: Check) -> None:
    said = escape(check.test)
    say(f"  {_MARKS[check.passed]} {said}{' ' * max(1, _WIDTH - len(check.test))}{escape(check.seen)}")


def _say_decision(decision: Decision) -> None:
    channel = decision.channel or "all channels"
    if decision.outcome == "emitted":
        say(f"  → {channel}: {decision.outcome}, delivery {decision.delivery_id}")
    else:
        say(f"  → {channel}: {decision.outcome}, {decision.reason}: {escape(decision.detail or '')}")


@dataclass(frozen=True, slots=True)
class Story:
    """What is known about a customer's messages: decisions, and deliveries with their attempts.

    And what kept messages from coming about: records that were dead-lettered, segments that cannot judge the profile.
    """

    decisions: list[Decision]
    deliveries: list[dict[str, Any]]
    dead_letters: list[dict[str, Any]] = field(default_factory=list)
    unjudged: list[dict[str, Any]] = field(default_factory=list)


async def story(wiring: Wiring, who: str, distribution: str | None) -> Story:
    """Of a customer, or of one delivery (`dlv_…`). Raises TidingsError where nothing is known."""
    async with database(wiring) as pool:
        ledger = Ledger(pool)
        one = await ledger.delivery(who) if who.startswith("dlv_") else None
        if who.startswith("dlv_") and (one is None or one["project_id"] != wiring.project):
            raise TidingsError(f"there is no delivery {who} of project {wiring.project} in the ledger")
        rows = [one] if one else await ledger.deliveries_of(wiring.project, who, _MOST)
        attempts = await ledger.attempts_of([row["delivery_id"] for row in rows])
        unjudged = [] if one else [dict(row) for row in await Segments(pool).unjudged_of_customer(wiring.project, who)]
        actions = await Deliveries(pool).actions_of([row["delivery_id"] for row in rows])
    key = wiring.key(wiring.project, one["customer_id"] if one else who).decode()
    deliveries = [
        {**row, "attempts_made": _of(row, attempts), "actions": _of(row, actions)}
        for row in rows
        if distribution in (None, row["distribution_id"])
    ]
    decisions = _decisions_of(wiring, key)
    if one:
        decisions = [decision for decision in decisions if decision.delivery_id == who]
    decisions = [decision for decision in decisions if distribution in (None, decision.distribution.id)]
    return Story(decisions, deliveries, [] if one else dead_letters_of(wiring, key), unjudged)


def _of(row: Any, made: list[Any]) -> list[dict[str, Any]]:
    return [dict(one) for one in made if one["delivery_id"] == row["delivery_id"]]


def _decisions_of(wiring: Wiring, key: str) -> list[Decision]:
    raw, codec = key.encode(), wiring.codec(DECISIONS)
    with TopicReader(wiring, DECISIONS) as reader:
        partition = reader.partition_of(key)
        mine = [message.value() for message in reader.until_now([partition]) if message.key() == raw]
    return [read_as(codec.decode(value), Decision) for value in mine if value]


def dead_letters_of(wiring: Wiring, key: str) -> list[dict[str, Any]]:
    """Of a customer, whatever partition they are on: they have the record's key."""
    raw = key.encode()
    with TopicReader(wiring, DEAD_LETTERS) as reader:
        mine = [one for one in dead_letters.select(reader, dead_letters.Filter()) if one.message.key() == raw]
    return [{"place": one.place, "record": one.source, **msgspec.to_builtins(one.facts)} for one in mine]


def show_story(found: Story) -> None:
    """For people: each event with the decisions about it, and what became of its deliveries."""
    for letter in found.dead_letters:
        _say_dead_letter(letter)
    for one in found.unjudged:
        say(f"\nsegment {escape(one['segment_id'])} cannot judge this customer: {escape(one['reason'])}")
    deliveries = {row["delivery_id"]: row for row in found.deliveries}
    told: set[str] = set()
    shown: set[tuple[str, str]] = set()
    for decision in found.decisions:
        heading = (decision.event.id, decision.distribution.id)
        if heading not in shown:
            shown.add(heading)
            _say_heading(decision)
        _say_decision(decision)
        identity = decision.delivery_id or ""
        if identity in deliveries and identity not in told:
            told.add(identity)
            _say_delivery(deliveries[identity])
    for identity, row in deliveries.items():
        if identity not in told:
            say(f"\n{text(row['created_at'])}  {row['channel']}  {row['distribution_id']}  delivery {identity}")
            _say_delivery(row)


def _say_dead_letter(letter: dict[str, Any]) -> None:
    said = f"{letter['failed_at']}  {letter['record']}  dead-lettered by the {letter['role']}, {letter['kind']}"
    say(f"\n{escape(said)}: {escape(letter['message'])}")
    say(f"  tidings dead-letters show {letter['place']}")


def _say_heading(decision: Decision) -> None:
    event, rule = decision.event, decision.distribution
    say(f"\n{text(event.created_at)}  {event.type}  event {escape(event.id)}   {escape(rule.id)} v{rule.version}")
    for check in decision.checks:
        _say_check(check)


def _say_delivery(row: dict[str, Any]) -> None:
    for attempt in row["attempts_made"]:
        took = f"attempt {attempt['number']}, {attempt['duration_ms']} ms"
        say(f"    {text(attempt['at'])}  {attempt['outcome']}  {escape(attempt['detail'])}  ({took})")
    for action in row["actions"]:
        say(f"    {text(action['at'])}  {action['action']} by {escape(action['actor'])}")
    if row["state"] == "waiting" and row["reason"]:  # it is due, and its destination is not
        say(f"    waiting, {row['reason']}: {escape(row['detail'])}; see: tidings destinations")
    elif row["state"] == "waiting":
        say(f"    waiting until {text(row['due_at'])}  {escape(row['detail'])}")
    elif not row["attempts_made"]:
        say(f"    {row['state']}  {row['reason'] or ''} {escape(row['detail'])}")


def story_json(found: Story) -> dict[str, Any]:
    """For programs."""
    known = {name: getattr(found, name) for name in Story.__slots__}
    return {**known, "read_at": utc_now()}
