"""What an event causes: the deliveries, and a decision for every distribution that fitted or could not be judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, assert_never
from urllib.parse import urlsplit

from schemas.closed import Outcome, Reason
from schemas.decision import Check, Decision
from schemas.delivery import (
    Delivery,
    DistributionRef,
    EmailAddress,
    EmailDelivery,
    EventRef,
    Recipient,
    WebhookAddress,
    WebhookDelivery,
)
from schemas.distribution import ChannelPlan, Distribution, EmailPlan, WebhookPlan
from schemas.event import Event
from streams.audience import Profile, Refusal, can_reach, may_send
from streams.conditions.compile import Facts
from streams.conditions.fields import EVENT
from streams.conditions.predicates import Failure
from streams.identity import decision_id, delivery_id, occurrence_key
from streams.index import RuleIndex
from streams.rule import Rule


@dataclass(slots=True)
class Matched:
    """The outcome for one event. `no_match` counts rules of its type and selection whose guard did not fit."""

    deliveries: list[Delivery] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    matched: int = 0
    no_match: int = 0


@dataclass(frozen=True, slots=True)
class Explained:
    """All about one rule and one event, for `simulate`."""

    distribution: Distribution
    selected: bool
    answer: bool | None
    failure: str | None
    checks: list[Check]
    decisions: list[Decision]
    deliveries: list[Delivery]


def facts_of(event: Event, profile: Profile | None) -> Facts:
    """What conditions and templates see: the event's objects, with the customer table's profile where there is one."""
    facts = dict(event.data)
    if profile is not None:
        facts["customer"] = profile
    facts[EVENT] = {"id": event.id, "type": event.type, "created_at": event.created_at.isoformat()}
    return facts


def match_event(event: Event, profile: Profile | None, rules: RuleIndex, now: datetime) -> Matched:
    """Match one event. Everything but `decided_at` is a function of event, profile and rules alone."""
    facts = facts_of(event, profile)
    candidates, passed_over = rules.candidates(event, facts)
    outcome = Matched(no_match=passed_over)
    fitting: list[Rule] = []
    for rule in candidates:
        answer = rule.guard(facts, now)
        if answer is False:
            outcome.no_match += 1
        elif answer is True:
            fitting.append(rule)
        else:
            outcome.decisions.append(_Case(rule, event, facts, now).failed(answer))
    if fitting:
        outcome.matched = len(fitting)
        fitting.sort(key=_by_priority)
        for rule in fitting:
            _Case(rule, event, facts, now).decide(outcome)
    return outcome


def explain_event(event: Event, profile: Profile | None, rules: RuleIndex, now: datetime) -> list[Explained]:
    """Every rule of the event's project and type, fitting or not, with each test that was made."""
    facts = facts_of(event, profile)
    of_type = [rule for rule in rules if _same_type(rule.distribution, event)]
    return [_explain(rule, event, facts, now) for rule in sorted(of_type, key=_by_priority)]


def _explain(rule: Rule, event: Event, facts: Facts, now: datetime) -> Explained:
    answer, checks = rule.explain(facts, now)
    selected = _selects(rule.distribution, event)
    outcome = Matched()
    case = _Case(rule, event, facts, now)
    if selected and answer is True:
        case.decide(outcome)
        may_send(rule.distribution, event, facts["customer"], checks.append)
    elif selected and isinstance(answer, Failure):
        outcome.decisions.append(case.failed(answer))
    failure = answer.reason if isinstance(answer, Failure) else None
    plain = answer if isinstance(answer, bool) else None
    return Explained(rule.distribution, selected, plain, failure, checks, outcome.decisions, outcome.deliveries)


def _same_type(rule: Distribution, event: Event) -> bool:
    return rule.project_id == event.project_id and rule.trigger.event == event.type


def _selects(rule: Distribution, event: Event) -> bool:
    trigger = rule.trigger
    kind = "segment" if trigger.segment else "campaign"
    return trigger.selector is None or (event.data.get(kind) or {}).get("id") == trigger.selector


def _by_priority(rule: Rule) -> tuple[int, str]:
    return -rule.distribution.priority, rule.distribution.id


class _Case:
    """One rule and one event that it fits."""

    def __init__(self, rule: Rule, event: Event, facts: Facts, now: datetime) -> None:
        self._rule, self._distribution = rule, rule.distribution
        self._event, self._facts, self._now = event, facts, now
        self._profile: Profile = facts["customer"]
        self._checks: list[Check] = []

    def decide(self, outcome: Matched) -> None:
        """Make the audience checks and add what comes of them."""
        self._checks = self._rule.explain(self._facts, self._now)[1]
        refusal = may_send(self._distribution, self._event, self._profile, self._checks.append)
        occurrence = refusal or occurrence_key(self._distribution.again, self._event, self._facts)
        if isinstance(occurrence, Failure):
            outcome.decisions.append(self.failed(occurrence))
        elif isinstance(occurrence, Refusal):
            outcome.decisions.append(self._decision("skipped", refusal=occurrence))
        else:
            for step, plan in enumerate(self._distribution.channels):
                self._decide_channel(plan, step, occurrence, outcome)

    def failed(self, failure: Failure) -> Decision:
        """The guard could not be judged."""
        return self._decision("skipped", refusal=Refusal("rule_error", failure.reason))

    def _decide_channel(self, plan: ChannelPlan, step: int, occurrence: str, outcome: Matched) -> None:
        refusal = can_reach(plan, self._profile)
        if refusal:
            outcome.decisions.append(self._decision("skipped", refusal=refusal, plan=plan, step=step))
            return
        delivery = self._delivery(plan, step, occurrence)
        outcome.deliveries.append(delivery)
        outcome.decisions.append(self._decision("emitted", plan=plan, step=step, delivery=delivery.delivery_id))

    def _decision(
        self,
        kind: Outcome,
        *,
        refusal: Refusal | None = None,
        plan: ChannelPlan | None = None,
        step: int = 0,
        delivery: str | None = None,
    ) -> Decision:
        event, rule = self._event, self._distribution
        channel = plan.channel if plan else None
        reason: Reason | None = refusal.reason if refusal else None
        return Decision(
            decision_id=decision_id(event.project_id, rule.id, event.id, event.customer_id, channel, step),
            project_id=event.project_id,
            distribution=_ref(rule),
            event=_event_ref(event),
            customer_id=event.customer_id,
            outcome=kind,
            reason=reason,
            detail=refusal.detail if refusal else None,
            channel=channel,
            delivery_id=delivery,
            checks=self._checks,
            decided_at=self._now,
        )

    def _delivery(self, plan: ChannelPlan, step: int, occurrence: str) -> Delivery:
        event, rule, profile = self._event, self._distribution, self._profile
        customer = event.customer_id
        shared: dict[str, Any] = {
            "delivery_id": delivery_id(event.project_id, rule.id, occurrence, customer, plan.channel, step),
            "project_id": event.project_id,
            "distribution": _ref(rule),
            "event": _event_ref(event),
            "customer": Recipient(id=customer, locale=_text(profile, "locale"), timezone=_text(profile, "timezone")),
            "priority": rule.priority,
            "category": rule.consent,
            "expires_at": rule.expires_after and event.created_at + timedelta(seconds=rule.expires_after),
            "data": {name: value for name, value in self._facts.items() if name != EVENT},
        }
        match plan:
            case WebhookPlan():
                address = WebhookAddress(url=plan.url, type=plan.type, headers=plan.headers)
                return WebhookDelivery(account=urlsplit(plan.url).netloc, webhook=address, **shared)
            case EmailPlan():
                to = EmailAddress(to=profile["email"], name=_text(profile, "name"), template=plan.template)
                return EmailDelivery(account=plan.account, email=to, **shared)
            case _:
                assert_never(plan)


def _ref(rule: Distribution) -> DistributionRef:
    return DistributionRef(id=rule.id, version=rule.version, name=rule.name)


def _event_ref(event: Event) -> EventRef:
    return EventRef(id=event.id, type=event.type, created_at=event.created_at)


def _text(profile: Profile, name: str) -> str | None:
    value = profile.get(name)
    return value if isinstance(value, str) else None
