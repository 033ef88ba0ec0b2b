"""The results of a run, recomputed without the index and without Kafka: every rule tried on every event."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from schemas.closed import CHANNELS, ChannelName
from schemas.decision import Check
from schemas.distribution import Distribution
from schemas.events.event import Event
from schemas.events.triggers import TRIGGERS
from streams.channels.tables import CHANNEL_RULES
from streams.checks.check import Message, Subject, first_objection
from streams.checks.order import CHECKS
from streams.conditions.answer import Failure
from streams.conditions.compile import Facts
from streams.event_context import facts_of
from streams.identity import delivery_id, occurrence_key
from streams.recent import Sent
from streams.rule import Rule, compile_rule


@dataclass(frozen=True, slots=True)
class Cause:
    """The first event that causes a delivery, the customer as the table has them, and the step of a distribution."""

    distribution: str
    step: int
    event: Event
    customer: dict[str, Any]


@dataclass(slots=True)
class Expected:
    """Deliveries by channel, each id with the moment of the first event that causes it; and what is skipped."""

    deliveries: dict[ChannelName, dict[str, datetime]] = field(
        default_factory=lambda: {channel: {} for channel in CHANNELS}
    )
    skipped: Counter[str] = field(default_factory=Counter)
    matched: int = 0
    causes: dict[str, Cause] = field(default_factory=dict)


def expect(events: list[Event], profiles: dict[str, dict[str, Any]], distributions: list[Distribution]) -> Expected:
    """Try every rule on every event."""
    rules = [compile_rule(distribution) for distribution in distributions]
    expected = Expected()
    for event in events:
        facts = facts_of(event.data, event, profiles.get(event.customer_id))
        for rule in rules:
            if _reacts(rule.distribution, event):
                _add(rule, event, facts, expected)
    return expected


def _reacts(rule: Distribution, event: Event) -> bool:
    trigger = rule.trigger
    if (rule.project_id, trigger.event, rule.status) != (event.project_id, event.type, "LIVE"):
        return False
    known = TRIGGERS[event.type]
    wanted = {one.object: getattr(trigger, one.key) for one in known.selectors}
    if known.addressed:
        wanted["distribution"] = rule.id
    return all(value is None or (event.data.get(name) or {}).get("id") == value for name, value in wanted.items())


def _add(rule: Rule, event: Event, facts: Facts, expected: Expected) -> None:
    distribution = rule.distribution
    answer = rule.guard.run(facts, datetime.now(UTC))
    if answer is False:
        return
    occurrence = occurrence_key(distribution.again, event.id, event.created_at, facts)
    if isinstance(answer, Failure) or isinstance(occurrence, Failure):
        expected.skipped["rule_error"] += 1
        return
    expected.matched += 1
    profile, record = facts["customer"], list[Check]().append
    objection = first_objection(CHECKS.of_distribution, Subject(distribution, event, profile), record)
    if objection:
        expected.skipped[objection.reason] += 1
        return
    for step, plan in enumerate(distribution.channels):
        address = CHANNEL_RULES[plan.channel].reach(plan, profile)
        identity = delivery_id(event.project_id, distribution.id, occurrence, event.customer_id, plan.channel, step)
        nothing = list[Sent]  # what was sent before is counted here, from all events
        message = Message(distribution, event, profile, plan, step, identity, address, nothing, event.created_at)
        objection = first_objection(CHECKS.of_message, message, record)
        if objection:
            expected.skipped[objection.reason] += 1
            continue
        cause = Cause(distribution.id, step, event, profile)
        if expected.causes.setdefault(identity, cause).event.id != event.id:
            expected.skipped["duplicate"] += 1
        expected.deliveries[plan.channel].setdefault(identity, event.created_at)
