"""Every event type that can start a distribution: its topic, its objects, what it offers, and how to select among
its events.

One declaration serves validation, the Avro files, the JSON Schema, the rule parser, the samples and the generated
reference.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec

from schemas.closed import Action
from schemas.events.objects import (
    Balance,
    Campaign,
    ClientEvent,
    Customer,
    EarningRule,
    EventSchema,
    LoyaltyTier,
    Order,
    PendingPoints,
    PromotionStack,
    PromotionTier,
    Publication,
    Redemption,
    RedemptionRollback,
    Referral,
    Reward,
    RewardAssignment,
    RewardRedemption,
    ScheduledDistribution,
    Segment,
    SendRef,
    Transaction,
    Voucher,
)
from schemas.events.samples import CUSTOMER, GIFT, LOYALTY, MOMENT, OBJECTS, REFERRAL
from schemas.record import JsonObject, Record


class SegmentsData(Record, frozen=True, kw_only=True):
    """Objects of `events.segments`."""

    customer: Customer
    segment: Segment


class OrdersData(Record, frozen=True, kw_only=True):
    """Objects of `events.orders`."""

    customer: Customer
    order: Order
    redemption: Redemption | None = None
    referrer: Customer | None = None


class RedemptionsData(Record, frozen=True, kw_only=True):
    """Objects of `events.redemptions`."""

    customer: Customer
    redemption: Redemption
    redemption_rollback: RedemptionRollback | None = None
    voucher: Voucher | None = None
    campaign: Campaign | None = None
    order: Order | None = None
    holder: Customer | None = None
    promotion_tier: PromotionTier | None = None
    promotion_stack: PromotionStack | None = None


class PointsData(Record, frozen=True, kw_only=True):
    """Objects of `events.points`: which are required depends on the type."""

    customer: Customer
    voucher: Voucher
    campaign: Campaign
    balance: Balance | None = None
    transaction: Transaction | None = None
    points: int | None = None
    buckets: list[JsonObject] | None = None
    pending_points: PendingPoints | None = None
    voucher_pending_points_balance: JsonObject | None = None
    order: Order | None = None


class PublicationsData(Record, frozen=True, kw_only=True):
    """Objects of `events.publications`."""

    customer: Customer
    publication: Publication
    voucher: Voucher
    campaign: Campaign


class CustomData(Record, frozen=True, kw_only=True):
    """Objects of `events.custom`."""

    customer: Customer
    event: ClientEvent
    event_schema: EventSchema
    referral: Referral | None = None
    loyalty: JsonObject | None = None


class ManualData(Record, frozen=True, kw_only=True):
    """Objects of `events.manual`. A backfill's events have a segment as well."""

    customer: Customer
    distribution: ScheduledDistribution
    send: SendRef | None = None
    segment: Segment | None = None


class RewardsData(Record, frozen=True, kw_only=True):
    """Objects of `events.rewards`: which are required depends on the type."""

    customer: Customer
    reward: Reward | None = None
    reward_redemption: RewardRedemption | None = None
    reward_assignment: RewardAssignment | None = None
    balance: Balance | None = None
    voucher: Voucher | None = None
    campaign: Campaign | None = None
    publication: Publication | None = None
    redemption: Redemption | None = None
    referral_tier: JsonObject | None = None
    holder: Customer | None = None
    loyalty_tier: LoyaltyTier | None = None
    earning_rule: EarningRule | None = None
    order: Order | None = None
    event: ClientEvent | None = None


class TiersData(Record, frozen=True, kw_only=True):
    """Objects of `events.tiers`: which tiers are there depends on the type."""

    customer: Customer
    campaign: Campaign
    loyalty_tier: LoyaltyTier | None = None
    loyalty_tier_from: LoyaltyTier | None = None
    loyalty_tier_to: LoyaltyTier | None = None


class ReferralsData(Record, frozen=True, kw_only=True):
    """Objects of `events.referrals`. The customer is the one who was referred."""

    customer: Customer
    referrer: Customer
    campaign: Campaign | None = None
    voucher: Voucher | None = None
    referral: Referral | None = None


ALL: tuple[Action, ...] = ("promote", "publish", "message")
"""What a trigger may offer at most: a promotion notice (P), a code of a campaign (C), a plain message (M)."""

ACTION_NAMES: Mapping[Action, str] = {
    "promote": "Notify customers about promotion",
    "publish": "Send and publish unique codes from campaign",
    "message": "Send plain message",
}
"""What the builder calls each action where a trigger offers all of them."""


SEND = "send"
"""In `data` of a manual event: what its send says to matchers. It is no object of the type, and goes out nowhere."""
MANUAL = "manual_distribution_schedule"
"""A sending that somebody scheduled by hand."""
BACKFILLED = "customer.segment.entered"
"""The entries that the members of a segment are taken to make when a distribution is set live for them."""
PUBLISHED = "customer.publication.succeeded"
"""Each code that is published is an event of this type."""


def began_in(event_type: str) -> str:
    """The place where a sending began, as the `channel` of publications and of a webhook's event source says it."""
    return "Dashboard" if event_type == MANUAL else "Automation"


@dataclass(frozen=True, slots=True)
class Selector:
    """A way to take only some events of a type: `key` in a distribution names the `id` of `object` in `data`."""

    key: str
    object: str


_CAMPAIGN = Selector("campaign", "campaign")


@dataclass(frozen=True, slots=True)
class Trigger:
    """One event type.

    `required` and `optional` are the objects in `data`; `customer` is always required and stands in neither.
    `selectors` are what a distribution may name; at most two, and each is optional. Where `addressed`, an event names
    the one distribution that it is for, in `data.distribution.id`, and there is nothing to select.
    `purposes` are the actions offered, `about` is what the builder calls the message, and `examples` are the objects of
    the sample that differ from `schemas.events.samples.OBJECTS`.
    """

    type: str
    topic: str
    data: builtins.type[Record]
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    selectors: tuple[Selector, ...] = ()
    purposes: tuple[Action, ...] = ("message",)
    about: str = "Customer will get a message"
    addressed: bool = False
    examples: Mapping[str, object] = field(default_factory=dict, hash=False)
    objects: tuple[str, ...] = field(init=False)
    selecting: tuple[str, ...] = field(init=False)
    """The objects in `data` whose ids decide which distributions an event may start."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "objects", ("customer", *self.required, *self.optional))
        about = tuple(one.object for one in self.selectors)
        object.__setattr__(self, "selecting", ("distribution", *about) if self.addressed else about)

    @property
    def selector_keys(self) -> tuple[str, ...]:
        """Keys that may stand beside `event` in a distribution's trigger."""
        return tuple(selector.key for selector in self.selectors)

    def sample(self, *, project_id: str = "default", event_id: str = "ev_sample_1") -> JsonObject:
        """A complete and valid event, with every object that this type may carry; whoever has it may change it."""
        objects = {name: self.examples.get(name, OBJECTS.get(name)) for name in self.objects if name != "customer"}
        data = deepcopy({"customer": CUSTOMER, **objects})
        return {"id": event_id, "project_id": project_id, "type": self.type, "created_at": MOMENT, "data": data}


def _segments(name: str) -> Trigger:
    selectors = (Selector("segment", "segment"),)
    return Trigger(
        f"customer.segment.{name}", "events.segments", SegmentsData, ("segment",), (), selectors, ALL, _PLAIN
    )


def _orders(name: str) -> Trigger:
    optional = ("redemption", "referrer")
    examples = {"order": {**_ORDER, "status": name.upper()}}
    return Trigger(
        f"customer.order.{name}", "events.orders", OrdersData, ("order",), optional, (), ALL, _PLAIN, examples=examples
    )


def _redemptions(name: str, *required: str) -> Trigger:
    optional = ("voucher", "campaign", "order", "holder", "promotion_tier", "promotion_stack")
    return Trigger(
        f"customer.{name}", "events.redemptions", RedemptionsData, ("redemption", *required), optional, (_CAMPAIGN,)
    )


def _points(name: str, *required: str, about: str = "", examples: Mapping[str, object] = LOYALTY) -> Trigger:
    said = {"about": about} if about else {}
    objects = ("voucher", "campaign", *required)
    kind = f"customer.voucher.{name}"
    return Trigger(kind, "events.points", PointsData, objects, (), (_CAMPAIGN,), **said, examples=examples)  # type: ignore[arg-type]


def _rewards(name: str, required: tuple[str, ...], optional: tuple[str, ...], about: str = "") -> Trigger:
    said = {"about": about} if about else {}
    kind = f"customer.{name}"
    return Trigger(kind, "events.rewards", RewardsData, required, optional, (_CAMPAIGN,), **said, examples=LOYALTY)  # type: ignore[arg-type]


def _tiers(name: str, *tiers: str) -> Trigger:
    """The last of `tiers` is the one that a distribution names: where one goes up or down, the tier arrived at."""
    kind, selectors = f"customer.loyalty.tier.{name}", (_CAMPAIGN, Selector("tier", tiers[-1]))
    down = {"loyalty_tier_from": OBJECTS["loyalty_tier_to"], "loyalty_tier_to": OBJECTS["loyalty_tier"]}
    examples = {**LOYALTY, **(down if name == "downgraded" else {})}
    return Trigger(kind, "events.tiers", TiersData, (*tiers, "campaign"), (), selectors, examples=examples)


_PLAIN = ACTION_NAMES["message"]
_REWARD = "Message with reward details"
_ORDER: Any = OBJECTS["order"]
_PENDING = ("pending_points", "voucher_pending_points_balance", "order")
_CREDITS, _POINTS = "Message with amount of received credits", "Message with amount of received points"

TRIGGERS: dict[str, Trigger] = {
    trigger.type: trigger
    for trigger in (
        _segments("entered"),
        _segments("left"),
        _orders("created"),
        _orders("updated"),
        _orders("paid"),
        _orders("canceled"),
        Trigger(
            "customer.custom_event",
            "events.custom",
            CustomData,
            ("event", "event_schema"),
            ("referral", "loyalty"),
            (Selector("event_schema", "event_schema"),),
            ALL,
            _PLAIN,
        ),
        Trigger(
            MANUAL,
            "events.manual",
            ManualData,
            ("distribution",),
            purposes=ALL,
            about=_PLAIN,
            addressed=True,
        ),
        _redemptions("redemption.succeeded"),
        _redemptions("redemption.rollback.succeeded", "redemption_rollback"),
        _points("gift.balance_added", "balance", "transaction", about=_CREDITS, examples=GIFT),
        _points("loyalty_card.points_added", "balance", "transaction", about=_POINTS),
        _points("loyalty_card.points_expired", "points", "buckets", "transaction"),
        _points("loyalty_card.pending_points.added", *_PENDING),
        _points("loyalty_card.pending_points.updated", *_PENDING),
        _points("loyalty_card.pending_points.canceled", *_PENDING),
        _points("loyalty_card.pending_points.activated", "pending_points", "balance", "order", "transaction"),
        _rewards(
            "rewarded",
            ("reward",),
            ("voucher", "campaign", "redemption", "referral_tier", "balance", "holder"),
            _REWARD,
        ),
        _rewards(
            "reward_redemptions.completed",
            ("reward", "reward_redemption"),
            ("reward_assignment", "balance", "voucher", "campaign", "publication"),
            _REWARD,
        ),
        _rewards(
            "rewarded.loyalty_points",
            ("balance",),
            ("loyalty_tier", "earning_rule", "voucher", "campaign", "order", "event"),
        ),
        Trigger(
            PUBLISHED,
            "events.publications",
            PublicationsData,
            ("publication", "voucher", "campaign"),
            (),
            (_CAMPAIGN,),
            about="Promotion code from the campaign",
        ),
        _tiers("joined", "loyalty_tier"),
        _tiers("left", "loyalty_tier"),
        _tiers("prolonged", "loyalty_tier"),
        _tiers("upgraded", "loyalty_tier_from", "loyalty_tier_to"),
        _tiers("downgraded", "loyalty_tier_from", "loyalty_tier_to"),
        Trigger(
            "customer.referred",
            "events.referrals",
            ReferralsData,
            ("referrer",),
            ("campaign", "voucher", "referral"),
            (_CAMPAIGN,),
            examples=REFERRAL,
        ),
    )
}
"""Event type to its declaration."""

EVENT_TOPICS: tuple[str, ...] = tuple(dict.fromkeys(trigger.topic for trigger in TRIGGERS.values()))
"""The event topics, each once, in the order of the declaration."""


def data_type(topic: str) -> type[Record]:
    """The struct of `data` on an event topic. Raises KeyError for a topic that is not one of `EVENT_TOPICS`."""
    return {trigger.topic: trigger.data for trigger in TRIGGERS.values()}[topic]


@cache
def object_fields(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """The known fields of a record and their types, `Annotated` and `None` taken away."""
    return {name: _bare(hint) for name, hint in get_type_hints(struct).items()}


def _bare(hint: Any) -> Any:
    if get_origin(hint) not in (Union, UnionType):
        return hint
    arms = tuple(arm for arm in get_args(hint) if arm is not type(None))
    return Union[arms]  # noqa: UP007 - of one arm it is that arm
