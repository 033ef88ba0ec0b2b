"""One distribution and one event that it fits: the audience checks, and the messages that come of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from schemas.channels.tables import ChannelPlan
from schemas.decision import Check, Decision
from schemas.delivery import Delivery, DistributionRef, EventRef, Recipient
from schemas.distribution import Distribution, Publish
from schemas.formats.durations import later
from schemas.hold import Hold
from schemas.publication_request import Draft, PublicationRequest
from schemas.record import JsonObject
from streams.channels.rules import ChannelTable
from streams.channels.tables import CHANNEL_RULES
from streams.checks.check import Due, Message, Subject, first_objection
from streams.checks.order import CHECKS, AudienceChecks
from streams.conditions.answer import Answer, Failure
from streams.delay import delayed, zone_of_customer
from streams.event_context import EventContext, Head, Profile, objects_of, profile_text
from streams.experiment import IN_NONE, Draw, draw
from streams.identity import decision_id, delivery_id, hold_id, key_at, occurrence_key, publication_id
from streams.recent import Sent, counted, other_event_sent, sent
from streams.rule import Rule
from streams.selection import is_selected
from streams.sends import send_of
from streams.verdict import Defer, Skip
from streams.waiting import Changes, Ending, ending, opened
from streams.window import closed

_OF_ENDING = -1
"""In the place of a round in the id of a decision about an event that could not end what waits."""
_LOOK_AGAIN = timedelta(seconds=30)
"""What is due while its distribution is paused waits on; holders release it once it is live."""


@dataclass(frozen=True, slots=True)
class Waits:
    """A send that is not judged before a moment; `round` is 0 for the first time."""

    hold_id: str
    round: int
    project_id: str
    customer_id: str
    distribution: DistributionRef
    event: EventRef
    occurrence: str
    until: Defer
    due_at: datetime
    draw: Draw = IN_NONE


@dataclass(slots=True)
class Matched:
    """The outcome for one event: `sent` belongs into the customer's recent sends, one entry a delivery.

    `requests` are sends that need a code first; their deliveries and decisions are in them. `holds` are those that are
    judged again later, `waiting` what is to be known of them and of events that end them.

    `no_match` counts rules of the event's type and selection whose guard did not fit. `counts` where an entry of
    `sent` limits what may be sent later: it has to be kept before anything leaves.
    """

    deliveries: list[Delivery] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    requests: list[PublicationRequest] = field(default_factory=list)
    holds: list[Waits] = field(default_factory=list)
    waiting: Changes = field(default_factory=Changes)
    matched: int = 0
    no_match: int = 0
    counts: bool = False


class Evaluation:
    """One rule and one event that it fits; `checks` are those that were made."""

    def __init__(
        self,
        rule: Rule,
        context: EventContext,
        now: datetime,
        channels: ChannelTable = CHANNEL_RULES,
        audience: AudienceChecks = CHECKS,
        hold: Hold | None = None,
    ) -> None:
        self._rule, self._guard, self._distribution, self._zone = rule, rule.guard, rule.distribution, rule.zone
        self._due_at = hold.due_at if hold else None
        self._round = hold.round + 1 if hold else 0
        self._draw = Draw.of_hold(hold) if hold else IN_NONE
        self._channels, self._audience = channels, audience
        self._context, self._event, self._facts, self._now = context, context.head, context.facts, now
        self._profile: Profile = context.facts["customer"]
        self._ref, self._event_ref = _ref(rule.distribution), _event_ref(context.head)
        self.checks: list[Check] = []

    def decide(self, outcome: Matched) -> None:
        """Make the audience checks and add what comes of them."""
        self.checks = self._guard.explain(self._context, self._now)[1]
        self._draw = draw(self._rule, self._context, self._now)
        subject = Subject(self._distribution, self._event, self._profile)
        objection = first_objection(self._audience.of_distribution, subject, self.checks.append)
        occurrence = objection or self._occurrence()
        if isinstance(occurrence, Failure):
            outcome.decisions.append(self.failed(occurrence))
        elif not isinstance(occurrence, str):
            outcome.decisions.append(self._decision(occurrence))
        elif until := self._must_wait():
            self._wait(until, occurrence, outcome)
        else:
            self._go_on(occurrence, outcome)

    def end(self, answer: Answer, outcome: Matched) -> None:
        """Note an event that ends what waits, where it says what both have to share."""
        rule, event = self._distribution, self._event
        key = self._shared()
        if answer is not True:
            key = answer if isinstance(answer, Failure) else Failure("")
        if isinstance(key, Failure):
            self._round = _OF_ENDING
            outcome.decisions.append(self._decision(Skip("rule_error", f"unless: {key.reason}")))
        else:
            outcome.waiting.endings.append(ending(event.project_id, rule.id, key, event.created_at, event.id))

    def _shared(self) -> object:
        """The value that an event shares with those that end it; Failure where it has none."""
        path = self._distribution.unless.same if self._distribution.unless else None
        return None if path is None else key_at(path, self._facts, "unless same")

    def decide_due(self, hold: Hold, ended: Ending | None, outcome: Matched) -> None:
        """Make all checks again, and add what comes of them."""
        verdict = canceled(hold) or self._may_go_on(ended)
        if isinstance(verdict, Defer):
            self._hold(hold.hold_id, hold.occurrence, verdict, outcome)
            return
        answer: Answer = True
        if verdict is None:
            answer, self.checks = self._guard.explain(self._context, self._now)
        if isinstance(answer, Failure):
            outcome.decisions.append(self.failed(answer))
        elif answer is False:
            outcome.decisions.append(self.unfit(self.checks))
        else:
            subject = Due(self._distribution, self._event, self._profile, hold.due_at)
            objection = verdict or first_objection(self._audience.of_distribution, subject, self.checks.append)
            objection = objection or self._closed()
            if isinstance(objection, Defer):
                self._hold(hold.hold_id, hold.occurrence, objection, outcome)
            elif objection:
                outcome.decisions.append(self._decision(objection))
            else:
                outcome.matched = 1
                self._go_on(hold.occurrence, outcome)

    def _may_go_on(self, ended: Ending | None) -> Skip | Defer | None:
        """An objection of the distribution as it is now to what has waited."""
        rule = self._distribution
        if ended is not None and rule.unless is not None:
            said = f"{rule.unless.trigger.event}, event {ended.event} of {ended.at.isoformat()}"
            return Skip("canceled", f"ended while it waited by {said}")
        if rule.status == "PAUSED":
            return Defer("paused", self._now + _LOOK_AGAIN, "the distribution is paused; it waits until it is live")
        if rule.status == "ENDED":
            return Skip("ended", "the distribution ended while this waited")
        if rule.status != "LIVE":
            return Skip("stopped", f"the distribution is {rule.status}")
        if not same_type(rule, self._event) or not is_selected(rule, self._event.data):
            return Skip("no_match", "the distribution no longer reacts to such an event")
        return None

    def _go_on(self, occurrence: str, outcome: Matched) -> None:
        if self._distribution.publish:
            self._ask_for_code(self._distribution.publish, occurrence, outcome)
        else:
            self._send(occurrence, outcome)

    def _must_wait(self) -> Defer | Skip | Failure | None:
        """An objection to sending it at this moment: its delay, else the hours in which it may be sent."""
        delay = self._distribution.delay
        return delayed(delay, self._event.created_at, self._facts, self._zone) if delay else self._closed()

    def _closed(self) -> Defer | Skip | None:
        window = self._distribution.window
        return (
            closed(window, self._now, zone_of_customer(self._profile, self._zone), self._expires_at())
            if window
            else None
        )

    def _wait(self, until: Defer | Skip | Failure, occurrence: str, outcome: Matched) -> None:
        """Hold the whole send; where another event has asked for the same one already, that is what waits."""
        event, rule = self._event, self._distribution
        identity = hold_id(event.project_id, rule.id, occurrence, event.customer_id)
        other = other_event_sent(self._recent(), identity, event.id)
        if isinstance(until, Failure):
            outcome.decisions.append(self.failed(until))
        elif other is not None:
            when = datetime.fromtimestamp(other.at, UTC).isoformat()
            said = f"waits or was sent already, for an event of {when}"
            outcome.decisions.append(self._decision(Skip("duplicate", said)))
        elif isinstance(until, Skip):
            outcome.decisions.append(self._decision(until))
        else:
            lasts = rule.again.mode != "every_event"
            self._hold(identity, occurrence, until, outcome)
            key = self._shared() if rule.unless else None
            if rule.unless and not isinstance(key, Failure):
                at = event.created_at, until.until
                outcome.waiting.opened.append(opened(identity, event.project_id, rule.id, key, *at))
            outcome.sent.append(sent(identity, event.id, event.created_at, lasts=lasts))
            outcome.counts |= lasts

    def _hold(self, identity: str, occurrence: str, until: Defer, outcome: Matched) -> None:
        event = self._event
        named = identity, self._round, event.project_id, event.customer_id
        due = until.until if until.reason == "delayed" else event.created_at
        outcome.holds.append(
            Waits(*named, self._ref, self._event_ref, occurrence, until, self._due_at or due, self._draw)
        )
        outcome.decisions.append(self._decision(until))

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
        lasts = self._distribution.again.mode != "every_event"
        for step, plan in enumerate(self._distribution.channels):
            message = self._message(step, plan, occurrence)
            decision = self._judged(message)
            outcome.decisions.append(decision)
            if decision.outcome == "emitted":
                outcome.deliveries.append(self._delivery(message, self._data()))
                outcome.sent.append(self._counted(message, lasts=lasts))
                outcome.counts |= lasts

    def _counted(self, message: Message, *, lasts: bool) -> Sent:
        """The entry of a message that leaves now."""
        return counted(
            message.delivery_id,
            self._event.id,
            self._moment,
            lasts=lasts,
            channel=message.plan.channel,
            category=self._distribution.consent,
            now=self._now,
        )

    def _message(self, step: int, plan: ChannelPlan, occurrence: str) -> Message:
        rule, event = self._distribution, self._event
        identity = delivery_id(event.project_id, rule.id, occurrence, event.customer_id, plan.channel, step)
        address = self._channels[plan.channel].reach(plan, self._profile)
        return Message(rule, event, self._profile, plan, step, identity, address, self._recent, self._draw)

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
            decision_id=decision_id(event.project_id, rule.id, event.id, event.customer_id, channel, step, self._round),
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
        return later(self._moment, after) if after else None

    @property
    def _moment(self) -> datetime:
        """The time by which it counts: of its event, or at which it was due."""
        return self._due_at or self._event.created_at

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
            "not_before": self._due_at,
            "expires_at": self._expires_at(),
            "data": data,
        }
        return self._channels[plan.channel].delivery(plan, message.address, shared)


def canceled(hold: Hold) -> Skip | None:
    """An objection to what somebody has ended while it waited."""
    return Skip("canceled", f"ended while it waited by {hold.canceled_by}") if hold.canceled_by else None


def _ref(rule: Distribution) -> DistributionRef:
    return DistributionRef(id=rule.id, version=rule.version, name=rule.name)


def _event_ref(event: Head[Any]) -> EventRef:
    return EventRef(id=event.id, type=event.type, created_at=event.created_at, send_id=send_of(event))


def same_type(rule: Distribution, event: Head[Any]) -> bool:
    """True where a rule of the event's project reacts to its type."""
    return rule.project_id == event.project_id and rule.trigger.event == event.type
