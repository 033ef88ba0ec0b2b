"""Every event type that can start a distribution: its topic, its objects, and how to select among its events.

One declaration serves validation, the Avro files, the rule parser and the generated reference.
"""

from __future__ import annotations

import builtins
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from schemas.objects import (
    Balance,
    Campaign,
    Customer,
    Order,
    PendingPoints,
    PromotionStack,
    PromotionTier,
    Publication,
    Redemption,
    RedemptionRollback,
    Segment,
    Transaction,
    Voucher,
)
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


Selector = Literal["segment", "campaign"]
"""What a distribution may name to take only some events of a type: the object whose `id` is compared."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """One event type.

    `required` and `optional` are the objects in `data`; `customer` is always required and stands in neither.
    `selector` is the object whose id a distribution may name, or None.
    """

    type: str
    topic: str
    data: builtins.type[Record]
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    selector: Selector | None = None
    objects: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "objects", ("customer", *self.required, *self.optional))


def _segments(name: str) -> Trigger:
    return Trigger(f"customer.segment.{name}", "events.segments", SegmentsData, ("segment",), selector="segment")


def _orders(name: str) -> Trigger:
    return Trigger(f"customer.order.{name}", "events.orders", OrdersData, ("order",), ("redemption", "referrer"))


def _redemptions(name: str, *required: str) -> Trigger:
    optional = ("voucher", "campaign", "order", "holder", "promotion_tier", "promotion_stack")
    return Trigger(
        f"customer.{name}", "events.redemptions", RedemptionsData, ("redemption", *required), optional, "campaign"
    )


def _points(name: str, *required: str) -> Trigger:
    objects = ("voucher", "campaign", *required)
    return Trigger(f"customer.voucher.{name}", "events.points", PointsData, objects, selector="campaign")


_PENDING = ("pending_points", "voucher_pending_points_balance", "order")

TRIGGERS: dict[str, Trigger] = {
    trigger.type: trigger
    for trigger in (
        _segments("entered"),
        _segments("left"),
        _orders("created"),
        _orders("updated"),
        _orders("paid"),
        _orders("canceled"),
        _redemptions("redemption.succeeded"),
        _redemptions("redemption.rollback.succeeded", "redemption_rollback"),
        _points("gift.balance_added", "balance", "transaction"),
        _points("loyalty_card.points_added", "balance", "transaction"),
        _points("loyalty_card.points_expired", "points", "buckets", "transaction"),
        _points("loyalty_card.pending_points.added", *_PENDING),
        _points("loyalty_card.pending_points.updated", *_PENDING),
        _points("loyalty_card.pending_points.canceled", *_PENDING),
        _points("loyalty_card.pending_points.activated", "pending_points", "balance", "order", "transaction"),
        Trigger(
            "customer.publication.succeeded",
            "events.publications",
            PublicationsData,
            ("publication", "voucher", "campaign"),
            selector="campaign",
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
    arms = [arm for arm in get_args(hint) if arm is not type(None)]
    is_optional = len(arms) == 1 and len(get_args(hint)) == 2 and get_origin(hint) is not dict
    return arms[0] if is_optional else hint
