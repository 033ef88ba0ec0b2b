"""From an event to its deliveries, and a decision for every distribution that fitted or could not be judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zlib import crc32

import msgspec

from schemas.channels.tables import ChannelPlan
from schemas.decision import Check, Decision
from schemas.delivery import Delivery, DistributionRef, EventRef, Recipient
from schemas.distribution import Distribution, Publish
from schemas.formats.durations import later
from schemas.publication_request import Draft, PublicationRequest
from schemas.record import JsonObject
from streams.channels.rules import ChannelTable
from streams.channels.tables import CHANNEL_RULES
from streams.checks.check import Message, Subject, first_objection
from streams.checks.order import CHECKS, AudienceChecks
from streams.conditions.answer import Answer, Failure
from streams.event_context import EventContext, Head, Profile, objects_of, profile_text
from streams.identity import decision_id, delivery_id, occurrence_key, publication_id
from streams.index.rules import RuleIndex
from streams.recent import Sent, sent
from streams.rule import Rule
from streams.selection import is_selected
from streams.verdict import Defer, Skip

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
    context: EventContext,
    rules: RuleIndex,
    now: datetime,
    *,
    channels: ChannelTable = CHANNEL_RULES,
    checks: AudienceChecks = CHECKS,
) -> Matched:
    """Match one event. Everything but `decided_at` is a function of event, profile and rules alone."""
    candidates, passed_over = rules.candidates(context)
    outcome = Matched(no_match=passed_over)
    if not candidates:
        return outcome
    fitting: list[Rule] = []
    for guard, tests in candidates:
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
                outcome.decisions.append(_Evaluation(rules.of(guard), context, now).failed(guard.run(context, now)))
            else:
                fitting.append(rules.of(guard))
    if fitting:
        outcome.matched = len(fitting)
        fitting.sort(key=_by_priority)
        for rule in fitting:
            _Evaluation(rule, context, now, channels, checks).decide(outcome)
    return outcome


def sample_no_match(context: EventContext, rules: RuleIndex, now: datetime, one_in: int) -> list[Decision]:
    """For one event in so many, and some of the rules that do not fit it: a decision that says by which test.

    What the id decides beyond whether it is chosen, is where among the rules to begin.
    """
    begin, rest = divmod(crc32(context.head.id.encode()), one_in)
    found: list[Decision] = []
    for rule in () if rest else rules.some_for(context.head, begin, _MOST_SAMPLED):
        answer, checks = rule.guard.explain(context, now)
        if answer is False:
            found.append(_Evaluation(rule, context, now).unfit(checks))
    return found


def explain_event(
    context: EventContext, rules: RuleIndex, now: datetime, *, channels: ChannelTable = CHANNEL_RULES
) -> list[Explained]:
    """Every rule of the event's project and type, fitting or not, with each test that was made."""
    of_type = [rule for rule in rules if _same_type(rule.distribution, context.head)]
    return [_explain(rule, context, now, channels) for rule in sorted(of_type, key=_by_priority)]


def _explain(rule: Rule, context: EventContext, now: datetime, channels: ChannelTable) -> Explained:
    answer, checks = rule.guard.explain(context, now)
    selected = is_selected(rule.distribution, context.head.data)
    outcome = Matched()
    evaluation = _Evaluation(rule, context, now, channels)
    if selected and answer is True:
        evaluation.decide(outcome)
        checks = evaluation.checks
    elif selected and isinstance(answer, Failure):
        outcome.decisions.append(evaluation.failed(answer))
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
    """One rule and one event that it fits; `checks` are those that were made."""

    def __init__(
        self,
        rule: Rule,
        context: EventContext,
        now: datetime,
        channels: ChannelTable = CHANNEL_RULES,
        audience: AudienceChecks = CHECKS,
    ) -> None:
        self._guard, self._distribution = rule.guard, rule.distribution
        self._channels, self._audience = channels, audience
        self._context, self._event, self._facts, self._now = context, context.head, context.facts, now
        self._profile: Profile = context.facts["customer"]
        self._ref, self._event_ref = _ref(rule.distribution), _event_ref(context.head)
        self.checks: list[Check] = []

    def decide(self, outcome: Matched) -> None:
        """Make the audience checks and add what comes of them."""
        self.checks = self._guard.explain(self._context, self._now)[1]
        subject = Subject(self._distribution, self._event, self._profile)
        objection = first_objection(self._audience.of_distribution, subject, self.checks.append)
        occurrence = objection or self._occurrence()
        if isinstance(occurrence, Failure):
            outcome.decisions.append(self.failed(occurrence))
        elif not isinstance(occurrence, str):
            outcome.decisions.append(self._decision(occurrence))
        elif self._distribution.publish:
            self._ask_for_code(self._distribution.publish, occurrence, outcome)
        else:
            self._send(occurrence, outcome)

    def _occurrence(self) -> str | Failure:
        return occurrence_key(self._distribution.again, self._event.id, self._event.created_at, self._facts)

    def failed(self, failure: Answer) -> Decision:
        """The guard could not be judged."""
        reason = failure.reason if isinstance(failure, Failure) else ""
        return self._decision(Skip("rule_error", reason))

    def unfit(self, checks: list[Check]) -> Decision:
        """The guard does not fit."""
        self.checks = checks
        failed = next((check.test for check in checks if check.passed is False), "")
        return self._decision(Skip("no_match", failed))

    def _ask_for_code(self, publish: Publish, occurrence: str, outcome: Matched) -> None:
        """One request for all messages that may be sent."""
        rule, event = self._distribution, self._event
        drafts = []
        for step, plan in enumerate(self._distribution.channels):
            message = self._message(step, plan, occurrence)
            decision = self._judged(message)
            if decision.outcome != "emitted":
                outcome.decisions.append(decision)
                continue
            delivery: JsonObject = msgspec.to_builtins(self._delivery(message, {}))
            del delivery["data"]
            drafts.append(Draft(delivery=delivery, decision=decision))
        if drafts:
            request = PublicationRequest(
                publication_id=publication_id(event.project_id, rule.id, occurrence, event.customer_id),
                project_id=event.project_id,
                campaign=publish.campaign,
                when_empty=publish.when_empty,
                distribution=self._ref,
                event=self._event_ref,
                customer_id=event.customer_id,
                expires_at=self._expires_at(),
                data=objects_of(self._facts, event.type),
                drafts=drafts,
            )
            outcome.requests.append(request)

    def _send(self, occurrence: str, outcome: Matched) -> None:
        event, lasts = self._event, self._distribution.again.mode != "every_event"
        for step, plan in enumerate(self._distribution.channels):
            message = self._message(step, plan, occurrence)
            decision = self._judged(message)
            outcome.decisions.append(decision)
            if decision.outcome == "emitted":
                outcome.deliveries.append(self._delivery(message, self._data()))
                outcome.sent.append(sent(message.delivery_id, event.id, event.created_at, lasts=lasts))

    def _message(self, step: int, plan: ChannelPlan, occurrence: str) -> Message:
        rule, event = self._distribution, self._event
        identity = delivery_id(event.project_id, rule.id, occurrence, event.customer_id, plan.channel, step)
        address = self._channels[plan.channel].reach(plan, self._profile)
        return Message(rule, event, self._profile, plan, step, identity, address, self._recent)

    def _recent(self) -> list[Sent]:
        return self._context.recent

    def _judged(self, message: Message) -> Decision:
        recorded: list[Check] = []
        return self._decision(first_objection(self._audience.of_message, message, recorded.append), message, recorded)

    def _decision(
        self, objection: Skip | Defer | None, message: Message | None = None, recorded: Sequence[Check] = ()
    ) -> Decision:
        """Of the whole distribution, or of one message; emitted where nothing objects. `recorded`: its own checks."""
        event, rule = self._event, self._distribution
        channel, step = (message.plan.channel, message.step) if message else (None, 0)
        is_skipped = isinstance(objection, Skip)
        return Decision(
            decision_id=decision_id(event.project_id, rule.id, event.id, event.customer_id, channel, step),
            project_id=event.project_id,
            distribution=self._ref,
            event=self._event_ref,
            customer_id=event.customer_id,
            outcome="skipped" if is_skipped else "deferred" if objection else "emitted",
            reason=objection.reason if objection else None,
            detail=objection.detail if objection else None,
            channel=channel,
            delivery_id=message.delivery_id if message and not is_skipped else None,
            until=objection.until if isinstance(objection, Defer) else None,
            checks=[*self.checks, *recorded] if recorded else self.checks,
            decided_at=self._now,
        )

    def _data(self) -> JsonObject:
        """The objects that go out: the event's, and those of the promotion that it tells of."""
        data = objects_of(self._facts, self._event.type)
        promote = self._distribution.promote
        if promote:
            data |= {"campaign": promote.campaign, "promotion_tier": promote.promotion_tier}
        return data

    def _expires_at(self) -> datetime | None:
        after = self._distribution.expires_after
        return later(self._event.created_at, after) if after else None

    def _delivery(self, message: Message, data: JsonObject) -> Delivery:
        event, rule, profile, plan = self._event, self._distribution, self._profile, message.plan
        customer = event.customer_id
        shared: dict[str, Any] = {
            "delivery_id": message.delivery_id,
            "project_id": event.project_id,
            "distribution": self._ref,
            "event": self._event_ref,
            "customer": Recipient(
                id=customer, locale=profile_text(profile, "locale"), timezone=profile_text(profile, "timezone")
            ),
            "priority": rule.priority,
            "category": rule.consent,
            "expires_at": self._expires_at(),
            "data": data,
        }
        return self._channels[plan.channel].delivery(plan, message.address, shared)


def _ref(rule: Distribution) -> DistributionRef:
    return DistributionRef(id=rule.id, version=rule.version, name=rule.name)


def _event_ref(event: Head[Any]) -> EventRef:
    return EventRef(id=event.id, type=event.type, created_at=event.created_at)
