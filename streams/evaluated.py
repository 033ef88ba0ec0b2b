"""One distribution and one event that it fits, and the records that are made of the two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from schemas.channels.tables import ChannelPlan
from schemas.decision import Check, Decision
from schemas.delivery import Delivery, Recipient
from schemas.formats.durations import later
from schemas.hold import Hold
from schemas.record import JsonObject
from streams.channels.rules import ChannelTable
from streams.channels.tables import CHANNEL_RULES
from streams.checks.check import Message
from streams.checks.order import CHECKS, AudienceChecks
from streams.conditions.answer import Failure
from streams.digest import DIGEST
from streams.event_context import EventContext, Profile, is_backfilled, objects_of, profile_text
from streams.experiment import IN_NONE, Draw
from streams.identity import decision_id, delivery_id, key_at, occurrence_key
from streams.outcome import Waits, event_ref, place_of, was_due
from streams.recent import Sent
from streams.rule import Rule
from streams.verdict import Defer, Skip


class Evaluated:
    """A rule and an event that it fits, with what is decided once; makes decisions, messages, deliveries and holds."""

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
        self._held, self._due_at = hold, hold.due_at if hold else None
        self._round = hold.round + 1 if hold else 0
        self._is_ranked = hold is not None and hold.priority is not None
        self._draw = Draw.of_hold(hold, rule.distribution) if hold else IN_NONE
        self._others: list[Sent] = []
        self._taken: list[Sent] = []
        self._channels, self._audience = channels, audience
        self._context, self._event, self._facts, self._now = context, context.head, context.facts, now
        self._profile: Profile = context.facts["customer"]
        self._ref, self._event_ref = rule.ref, event_ref(context.head)
        self.digest: JsonObject | None = None
        self.checks: list[Check] = []

    def _message(self, step: int, plan: ChannelPlan, occurrence: str) -> Message:
        rule, event = self._distribution, self._event
        identity = delivery_id(event.project_id, rule.id, occurrence, event.customer_id, plan.channel, step)
        address = self._channels[plan.channel].reach(plan, self._profile)
        told = self._recent, self._now, self._zone, self._draw, self._due_at, self._instead(occurrence), self._is_ranked
        return Message(rule, event, self._profile, plan, step, identity, address, *told)

    def _instead(self, occurrence: str) -> list[str]:
        """The ids of all messages of a send, where only one of them is sent."""
        if not self._distribution.sends_once:
            return []
        event, identity = self._event, self._distribution.id
        return [
            delivery_id(event.project_id, identity, occurrence, event.customer_id, plan.channel, step)
            for step, plan in enumerate(self._plans)
        ]

    @property
    def _plans(self) -> list[ChannelPlan]:
        return self._draw.arm.channels if self._draw.arm else self._distribution.channels

    @property
    def _arm(self) -> str | None:
        return self._draw.arm.id if self._draw.arm else None

    def _recent(self) -> list[Sent]:
        """All that the customer was sent before, and for this event already."""
        if not self._distribution.caps:
            return self._context.recent
        return [*self._context.recent, *self._others, *self._taken]

    def _decision(
        self, objection: Skip | Defer | None, message: Message | None = None, recorded: Sequence[Check] = ()
    ) -> Decision:
        """Of the whole distribution, or of one message; emitted where nothing objects. `recorded`: its own checks."""
        event, rule = self._event, self._distribution
        channel, step = (message.plan.channel, message.step) if message else place_of(self._held)
        is_skipped, decided = isinstance(objection, Skip), event.id
        if is_backfilled(event):  # the entry of the same id, if there is one, is decided by itself
            decided = f"{event.id} of {self._event_ref.send_id}"
        return Decision(
            decision_id=decision_id(
                event.project_id, rule.id, decided, event.customer_id, channel, step, self._round_of(message)
            ),
            project_id=event.project_id,
            distribution=self._ref,
            event=self._event_ref,
            customer_id=event.customer_id,
            outcome="skipped" if is_skipped else "deferred" if objection else "emitted",
            reason=objection.reason if objection else None,
            detail=objection.detail if objection else None,
            arm=self._arm,
            channel=channel,
            delivery_id=message.delivery_id if message and not is_skipped else None,
            until=objection.until if isinstance(objection, Defer) else None,
            due_at=was_due(self._held),
            checks=[*self.checks, *recorded] if recorded else self.checks,
            decided_at=self._now,
        )

    def _round_of(self, message: Message | None) -> int:
        """The number of times that a message has waited: 0 of one that is tried since another one had waited."""
        held = self._held
        is_other = message and held and held.step is not None and held.step != message.step
        return 0 if is_other else self._round

    def _data(self) -> JsonObject:
        """The objects that go out: the event's, and those of the promotion that it tells of."""
        data = objects_of(self._facts, self._event.type)
        promote = self._distribution.promote
        if promote:
            data |= {"campaign": promote.campaign, "promotion_tier": promote.promotion_tier}
        return data if self.digest is None else {**data, DIGEST: self.digest}

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
            "arm": self._arm,
            "priority": rule.priority,
            "category": rule.consent,
            "not_before": self._due_at,
            "expires_at": self._expires_at(),
            "data": data,
        }
        return self._channels[plan.channel].delivery(plan, message.address, shared)

    def _waits(self, identity: str, occurrence: str, until: Defer) -> Waits:
        event = self._event
        named = identity, self._round, event.project_id, event.customer_id
        due = until.until if until.reason in ("delayed", "digest") else event.created_at
        waits = Waits(*named, self._ref, self._event_ref, occurrence, until, self._due_at or due, self._draw)
        held = self._held
        if held is None:
            return waits
        gathered = held.gathered
        return replace(waits, follows=held.follows, gathers=held.gathers, gathered=gathered, events=held.events)

    def _occurrence(self) -> str | Failure:
        return occurrence_key(self._distribution.again, self._event.id, self._happened, self._facts)

    @property
    def _happened(self) -> datetime:
        """The moment of its event; not before that of a backfill, whose members may be told of as entering too."""
        backfill, happened = self._distribution.backfill, self._event.created_at
        return max(happened, backfill.at) if backfill and backfill.at else happened

    def _shared(self) -> object:
        """The value that an event shares with those that end it; Failure where it has none."""
        path = self._distribution.unless.same if self._distribution.unless else None
        return None if path is None else key_at(path, self._facts, "unless same")
