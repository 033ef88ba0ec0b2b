"""What an event causes: the deliveries, and a decision for every distribution that fitted or could not be judged."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zlib import crc32

import msgspec

from schemas.channels.tables import ChannelPlan
from schemas.closed import Outcome, Reason
from schemas.decision import Check, Decision
from schemas.delivery import Delivery, DistributionRef, EventRef, Recipient
from schemas.distribution import Distribution, Publish
from schemas.publication_request import Draft, PublicationRequest
from schemas.record import JsonObject
from streams.audience import already_sent, may_send
from streams.channels.rules import ChannelTable
from streams.channels.tables import CHANNEL_RULES
from streams.conditions.kinds import Answer, Failure
from streams.event_context import EventContext, Head, Profile, objects_of, profile_text
from streams.identity import decision_id, delivery_id, occurrence_key, publication_id
from streams.index.rules import RuleIndex
from streams.recent import Sent, sent
from streams.rule import Rule
from streams.selection import is_selected
from streams.verdict import Skip

_MOST_SAMPLED = 20
"""Rules that one event of the sample says something about, of each selection."""


@dataclass(slots=True)
class Matched:
    """The outcome for one event: `sent` belongs into the customer's recent sends, one entry a delivery.

    `requests` are sends that need a code first; their deliveries and decisions are in them.

    `no_match` counts rules of the event's type and selection whose guard did not fit.
    """

    deliveries: list[Delivery] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    requests: list[PublicationRequest] = field(default_factory=list)
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
    requests: list[PublicationRequest]


def match_event(
    context: EventContext, rules: RuleIndex, now: datetime, channels: ChannelTable = CHANNEL_RULES
) -> Matched:
    """Match one event. Everything but `decided_at` is a function of event, profile and rules alone."""
    candidates, passed_over = rules.candidates(context)
    outcome = Matched(no_match=passed_over)
    if not candidates:
        return outcome
    fitting: list[Rule] = []
    for rule, tests in candidates:
        failed = False
        for test in tests:
            answer = test(context, now)
            if answer is False:
                outcome.no_match += 1
                break
            if answer is not True:
                failed = True
        else:
            if failed:
                outcome.decisions.append(_Evaluation(rule, context, now).failed(rule.guard(context, now)))
            else:
                fitting.append(rule)
    if fitting:
        outcome.matched = len(fitting)
        fitting.sort(key=_by_priority)
        for rule in fitting:
            _Evaluation(rule, context, now, channels).decide(outcome)
    return outcome


def sample_no_match(context: EventContext, rules: RuleIndex, now: datetime, one_in: int) -> list[Decision]:
    """For one event in so many, and some of the rules that do not fit it: a decision that says by which test.

    What the id decides beyond whether it is chosen, is where among the rules to begin.
    """
    begin, rest = divmod(crc32(context.head.id.encode()), one_in)
    found: list[Decision] = []
    for rule in () if rest else rules.some_for(context.head, begin, _MOST_SAMPLED):
        answer, checks = rule.explain(context, now)
        if answer is False:
            found.append(_Evaluation(rule, context, now).unfit(checks))
    return found


def explain_event(context: EventContext, rules: RuleIndex, now: datetime) -> list[Explained]:
    """Every rule of the event's project and type, fitting or not, with each test that was made."""
    of_type = [rule for rule in rules if _same_type(rule.distribution, context.head)]
    return [_explain(rule, context, now) for rule in sorted(of_type, key=_by_priority)]


def _explain(rule: Rule, context: EventContext, now: datetime) -> Explained:
    answer, checks = rule.explain(context, now)
    selected = is_selected(rule.distribution, context.head.data)
    outcome = Matched()
    case = _Evaluation(rule, context, now)
    if selected and answer is True:
        case.decide(outcome)
        may_send(rule.distribution, context.head.created_at, context.facts["customer"], checks.append)
    elif selected and isinstance(answer, Failure):
        outcome.decisions.append(case.failed(answer))
    failure = answer.reason if isinstance(answer, Failure) else None
    plain = answer if isinstance(answer, bool) else None
    return Explained(
        rule.distribution, selected, plain, failure, checks, outcome.decisions, outcome.deliveries, outcome.requests
    )


def _same_type(rule: Distribution, event: Head[Any]) -> bool:
    return rule.project_id == event.project_id and rule.trigger.event == event.type


def _by_priority(rule: Rule) -> tuple[int, str]:
    return -rule.distribution.priority, rule.distribution.id


class _Evaluation:
    """One rule and one event that it fits."""

    def __init__(
        self, rule: Rule, context: EventContext, now: datetime, channels: ChannelTable = CHANNEL_RULES
    ) -> None:
        self._channels = channels
        self._rule, self._distribution = rule, rule.distribution
        self._context, self._event, self._facts, self._now = context, context.head, context.facts, now
        self._profile: Profile = context.facts["customer"]
        self._checks: list[Check] = []

    def decide(self, outcome: Matched) -> None:
        """Make the audience checks and add what comes of them."""
        self._checks = self._rule.explain(self._context, self._now)[1]
        refusal = may_send(self._distribution, self._event.created_at, self._profile, self._checks.append)
        occurrence = refusal or self._occurrence()
        if isinstance(occurrence, Failure):
            outcome.decisions.append(self.failed(occurrence))
        elif isinstance(occurrence, Skip):
            outcome.decisions.append(self._decision("skipped", refusal=occurrence))
        elif self._distribution.publish:
            self._ask_for_code(self._distribution.publish, occurrence, outcome)
        else:
            for step, plan in enumerate(self._distribution.channels):
                self._decide_channel(plan, step, occurrence, outcome)

    def _occurrence(self) -> str | Failure:
        return occurrence_key(self._distribution.again, self._event.id, self._event.created_at, self._facts)

    def failed(self, failure: Answer) -> Decision:
        """The guard could not be judged."""
        said = failure.reason if isinstance(failure, Failure) else ""
        return self._decision("skipped", refusal=Skip("rule_error", said))

    def unfit(self, checks: list[Check]) -> Decision:
        """The guard does not fit."""
        self._checks = checks
        failed = next((check.test for check in checks if check.passed is False), "")
        return self._decision("skipped", refusal=Skip("no_match", failed))

    def _ask_for_code(self, publish: Publish, occurrence: str, outcome: Matched) -> None:
        """One request for all channels that reach the customer. Whether it was sent before, the publication knows."""
        rule, event = self._distribution, self._event
        drafts = []
        for step, plan in enumerate(rule.channels):
            address = self._channels[plan.channel].reach(plan, self._profile)
            if isinstance(address, Skip):
                outcome.decisions.append(self._decision("skipped", refusal=address, plan=plan, step=step))
                continue
            identity = self._delivery_id(plan, step, occurrence)
            delivery: JsonObject = msgspec.to_builtins(self._delivery(plan, address, identity, {}))
            del delivery["data"]
            decision = self._decision("emitted", plan=plan, step=step, delivery=identity)
            drafts.append(Draft(delivery=delivery, decision=decision))
        if drafts:
            request = PublicationRequest(
                publication_id=publication_id(event.project_id, rule.id, occurrence, event.customer_id),
                project_id=event.project_id,
                campaign=publish.campaign,
                when_empty=publish.when_empty,
                distribution=_ref(rule),
                event=_event_ref(event),
                customer_id=event.customer_id,
                expires_at=self._expires_at(),
                data=objects_of(self._facts, event.type),
                drafts=drafts,
            )
            outcome.requests.append(request)

    def _delivery_id(self, plan: ChannelPlan, step: int, occurrence: str) -> str:
        event = self._event
        return delivery_id(event.project_id, self._distribution.id, occurrence, event.customer_id, plan.channel, step)

    def _decide_channel(self, plan: ChannelPlan, step: int, occurrence: str, outcome: Matched) -> None:
        event, identity = self._event, self._delivery_id(plan, step, occurrence)
        address = self._channels[plan.channel].reach(plan, self._profile)
        refusal = address if isinstance(address, Skip) else already_sent(self._context.recent, identity, event.id)
        if refusal:
            outcome.decisions.append(self._decision("skipped", refusal=refusal, plan=plan, step=step))
            return
        outcome.deliveries.append(self._delivery(plan, address, identity, self._data()))
        outcome.decisions.append(self._decision("emitted", plan=plan, step=step, delivery=identity))
        lasts = self._distribution.again.mode != "every_event"
        outcome.sent.append(sent(identity, event.id, event.created_at, lasts=lasts))

    def _decision(
        self,
        kind: Outcome,
        *,
        refusal: Skip | None = None,
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

    def _data(self) -> JsonObject:
        """What goes out: the event's objects, and those of the promotion that it tells of."""
        data = objects_of(self._facts, self._event.type)
        promote = self._distribution.promote
        if promote:
            data |= {"campaign": promote.campaign, "promotion_tier": promote.promotion_tier}
        return data

    def _expires_at(self) -> datetime | None:
        after = self._distribution.expires_after
        return self._event.created_at + timedelta(seconds=after) if after else None

    def _delivery(self, plan: ChannelPlan, address: Any, identity: str, data: JsonObject) -> Delivery:
        event, rule, profile = self._event, self._distribution, self._profile
        customer = event.customer_id
        shared: dict[str, Any] = {
            "delivery_id": identity,
            "project_id": event.project_id,
            "distribution": _ref(rule),
            "event": _event_ref(event),
            "customer": Recipient(
                id=customer, locale=profile_text(profile, "locale"), timezone=profile_text(profile, "timezone")
            ),
            "priority": rule.priority,
            "category": rule.consent,
            "expires_at": self._expires_at(),
            "data": data,
        }
        return self._channels[plan.channel].delivery(plan, address, shared)


def _ref(rule: Distribution) -> DistributionRef:
    return DistributionRef(id=rule.id, version=rule.version, name=rule.name)


def _event_ref(event: Head[Any]) -> EventRef:
    return EventRef(id=event.id, type=event.type, created_at=event.created_at)
