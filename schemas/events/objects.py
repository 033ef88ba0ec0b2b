"""The business objects that events carry, as far as their fields are known.

Field names follow the public API of the system that the product stands beside. Money is an integer in minor units,
points are integers, dates are RFC 3339 strings as upstream wrote them. Every object may carry `metadata` and unknown
fields.
"""

from __future__ import annotations

from typing import Annotated, Any

from schemas.record import JsonObject, OpenRecord, doc

PLAIN_DAYS = frozenset({"birthday"})
"""Fields that are days of the calendar: whatever time upstream writes behind one, the written day is meant."""


class Customer(OpenRecord, frozen=True, kw_only=True):
    """A customer's profile."""

    id: Annotated[str, doc("The customer's id; also the record key.")]
    source_id: Annotated[str | None, doc("The id in the upstream system.")] = None
    name: str | None = None
    email: str | None = None
    phone: Annotated[str | None, doc("E.164 where possible.")] = None
    locale: Annotated[str | None, doc("BCP 47, as in pl-PL.")] = None
    timezone: Annotated[str | None, doc("IANA name, as in Europe/Warsaw.")] = None
    birthday: Annotated[str | None, doc("YYYY-MM-DD.")] = None
    address: JsonObject | None = None
    consents: Annotated[dict[str, bool], doc("Consent category to given or not.")] = {}
    metadata: JsonObject = {}
    object: str | None = None


class Segment(OpenRecord, frozen=True, kw_only=True):
    """A group of customers."""

    id: str
    name: str | None = None
    metadata: JsonObject = {}
    object: str | None = None


class OrderItem(OpenRecord, frozen=True, kw_only=True):
    """One line of an order."""

    product_id: str | None = None
    sku_id: str | None = None
    quantity: Annotated[int | float | None, doc("A fraction where goods are weighed or measured.")] = None
    price: Annotated[int | None, doc("Minor units, one piece.")] = None
    amount: Annotated[int | None, doc("Minor units, the whole line.")] = None
    metadata: JsonObject = {}
    object: str | None = None


class Order(OpenRecord, frozen=True, kw_only=True):
    """An order. Amounts are in minor units."""

    id: str
    source_id: str | None = None
    status: str | None = None
    amount: int | None = None
    initial_amount: int | None = None
    discount_amount: int | None = None
    total_discount_amount: int | None = None
    total_amount: int | None = None
    items: list[OrderItem] = []
    customer_id: str | None = None
    referrer_id: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    metadata: JsonObject = {}
    object: str | None = None


class Redemption(OpenRecord, frozen=True, kw_only=True):
    """The use of a voucher or promotion. `amount` is in minor units (gift) or points (loyalty)."""

    id: str
    date: str | None = None
    result: str | None = None
    status: str | None = None
    amount: int | None = None
    customer_id: str | None = None
    tracking_id: str | None = None
    failure_code: str | None = None
    failure_message: str | None = None
    reason: str | None = None
    metadata: JsonObject = {}
    object: str | None = None


class RedemptionRollback(OpenRecord, frozen=True, kw_only=True):
    """A redemption taken back."""

    id: str
    redemption: Annotated[str | None, doc("Id of the redemption that was taken back.")] = None
    date: str | None = None
    result: str | None = None
    amount: int | None = None
    customer_id: str | None = None
    tracking_id: str | None = None
    reason: str | None = None
    metadata: JsonObject = {}
    object: str | None = None


class Voucher(OpenRecord, frozen=True, kw_only=True):
    """A code with its value."""

    id: str | None = None
    code: str
    type: str | None = None
    campaign: str | None = None
    campaign_id: str | None = None
    category_id: str | None = None
    holder_id: str | None = None
    is_referral_code: bool | None = None
    active: bool | None = None
    discount: JsonObject | None = None
    gift: JsonObject | None = None
    loyalty_card: JsonObject | None = None
    redemption: JsonObject | None = None
    start_date: str | None = None
    expiration_date: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    metadata: JsonObject = {}
    object: str | None = None


class Campaign(OpenRecord, frozen=True, kw_only=True):
    """A campaign that codes or rewards belong to."""

    id: str
    name: str | None = None
    campaign_type: str | None = None
    type: str | None = None
    active: bool | None = None
    auto_join: bool | None = None
    join_once: bool | None = None
    is_referral_code: bool | None = None
    category: str | None = None
    category_id: str | None = None
    description: str | None = None
    voucher: JsonObject | None = None
    start_date: str | None = None
    expiration_date: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    metadata: JsonObject = {}
    object: str | None = None


class Balance(OpenRecord, frozen=True, kw_only=True):
    """A change of a gift card's credits or a loyalty card's points, and what stands after it."""

    type: str | None = None
    total: int | None = None
    balance: int | None = None
    amount: Annotated[int | None, doc("Credits added, minor units.")] = None
    points: Annotated[int | None, doc("Points added.")] = None
    operation_type: str | None = None
    related_object: JsonObject | None = None
    object: str | None = None


class Transaction(OpenRecord, frozen=True, kw_only=True):
    """The bookkeeping entry behind a balance change."""

    id: str
    source_id: str | None = None
    type: str | None = None
    reason: str | None = None
    created_at: str | None = None
    details: JsonObject | None = None


class PendingPoints(OpenRecord, frozen=True, kw_only=True):
    """Points that will count later."""

    id: str
    points: int | None = None
    activates_at: str | None = None
    created_at: str | None = None
    details: JsonObject | None = None
    object: str | None = None


class Publication(OpenRecord, frozen=True, kw_only=True):
    """The assignment of one code to one customer."""

    id: str
    customer_id: str | None = None
    tracking_id: str | None = None
    channel: str | None = None
    result: str | None = None
    source_id: str | None = None
    vouchers_id: list[str] = []
    customer: JsonObject | None = None
    created_at: str | None = None
    metadata: JsonObject = {}
    object: str | None = None


class PromotionTier(OpenRecord, frozen=True, kw_only=True):
    """One level of an in-cart promotion."""

    id: str
    name: str | None = None
    banner: str | None = None
    action: JsonObject | None = None
    metadata: JsonObject = {}
    object: str | None = None


class PromotionStack(OpenRecord, frozen=True, kw_only=True):
    """Promotion tiers that apply together."""

    id: str
    name: str | None = None
    tiers: dict[str, Any] | None = None
    object: str | None = None


class ClientEvent(OpenRecord, frozen=True, kw_only=True):
    """Something that a customer did, as the customer's own system names it. What it is about stands in `metadata`."""

    id: str | None = None
    type: Annotated[str | None, doc("The name of the event, as its schema has it.")] = None
    created_at: str | None = None
    metadata: JsonObject = {}
    object: str | None = None


class EventSchema(OpenRecord, frozen=True, kw_only=True):
    """The definition that a custom event follows."""

    id: str
    name: str | None = None
    object: str | None = None


class ScheduledDistribution(OpenRecord, frozen=True, kw_only=True):
    """The manual distribution that an event is addressed to."""

    id: Annotated[str, doc("The id of the one distribution that the event starts.")]
    name: str | None = None
    status: str | None = None
    consents: JsonObject | None = None
    distribution_channels: list[str] = []
    set_live_at: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    metadata: JsonObject = {}


class SendRef(OpenRecord, frozen=True, kw_only=True):
    """The manual send, or backfill, that an event is a part of. It is for matchers alone, and goes out in no message.

    A matcher whose table has an older version of the distribution waits for this one. With `local_time` it is not sent
    before that time of the customer's own clock, else of the project's.
    """

    id: Annotated[str, doc("The send's id, as in send_2f0c…; deliveries and decisions name it as event.send_id.")]
    version: Annotated[int, doc("The version of the distribution that the send began with: older ones wait for it.")]
    local_time: Annotated[str | None, doc("As in 2026-03-29T09:00:00, where each customer's own zone counts.")] = None


class Referral(OpenRecord, frozen=True, kw_only=True):
    """The recommendation that brought a customer."""

    id: str | None = None
    code: str | None = None
    referrer_id: str | None = None
    campaign_id: str | None = None
    metadata: JsonObject = {}
    object: str | None = None


class Reward(OpenRecord, frozen=True, kw_only=True):
    """A benefit that a customer gets in a loyalty or referral programme."""

    id: str | None = None
    name: str | None = None
    type: Annotated[str | None, doc("CAMPAIGN, COIN or MATERIAL.")] = None
    stock: int | None = None
    redeemed: int | None = None
    attributes: JsonObject | None = None
    parameters: JsonObject | None = None
    created_at: str | None = None
    updated_at: str | None = None
    metadata: JsonObject = {}
    object: str | None = None


class RewardRedemption(OpenRecord, frozen=True, kw_only=True):
    """The exchange of points for a reward."""

    id: str
    customer_id: str | None = None
    assignment_id: str | None = None
    voucher_id: str | None = None
    product_id: str | None = None
    sku_id: str | None = None
    campaign_id: str | None = None
    source_id: str | None = None
    status: str | None = None
    date: str | None = None
    amount: Annotated[int | None, doc("Points paid.")] = None
    metadata: JsonObject = {}
    object: str | None = None


class RewardAssignment(OpenRecord, frozen=True, kw_only=True):
    """A reward's place in a campaign, with what it costs there."""

    id: str
    reward_id: str | None = None
    related_object_id: str | None = None
    related_object_type: str | None = None
    parameters: JsonObject | None = None
    created_at: str | None = None
    updated_at: str | None = None
    metadata: JsonObject = {}
    object: str | None = None


class LoyaltyTier(OpenRecord, frozen=True, kw_only=True):
    """One level of a loyalty programme."""

    id: str
    name: str | None = None
    campaign_id: str | None = None
    points: Annotated[JsonObject | None, doc("The points that it takes: from, to.")] = None
    earning_rules: JsonObject | None = None
    rewards: JsonObject | None = None
    config: JsonObject | None = None
    expiration: JsonObject | None = None
    created_at: str | None = None
    updated_at: str | None = None
    metadata: JsonObject = {}
    object: str | None = None


class EarningRule(OpenRecord, frozen=True, kw_only=True):
    """A rule by which points are given."""

    id: str
    event: str | None = None
    loyalty: JsonObject | None = None
    segment: JsonObject | None = None
    source: JsonObject | None = None
    custom_event: JsonObject | None = None
    active: bool | None = None
    start_date: str | None = None
    expiration_date: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    metadata: JsonObject = {}
    object: str | None = None
