"""Shopify, as far as it is pure: its keys, for whom a code is, and its deliveries.

It is told of codes alone, so only a distribution that brings one may name it. A discount of the shop's own takes any
code; of a code with a discount of its own the voucher says what it takes off, and not every voucher can be said there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from schemas.campaign import Campaign, campaign_object
from schemas.channels.shopify import ShopifyAddress, ShopifyDelivery, ShopifyPlan, why_no_discount
from schemas.formats.paths import PATH_PATTERN, read_path
from schemas.record import JsonObject
from streams.channels.rules import ChannelRules, PlanContext, Shared
from streams.conditions.fields import Unknown
from streams.event_context import Profile
from streams.values.kinds import AsWritten, Flag, Group, Key, Plain

_NUMBER = re.compile(r"[1-9]\d{0,19}", re.ASCII)
_OF_DISCOUNTS, _OF_CUSTOMERS = "gid://shopify/DiscountCodeNode/", "gid://shopify/Customer/"
_MORE_ACCOUNTS = "Add one with tidings accounts add shopify/NAME"
_OTHERWISE = "name a discount of the shop as discount, which the code is then added to"


@dataclass(frozen=True, slots=True)
class _DiscountId(Plain[str]):
    """The id of a discount, as the end of its address in the shop's admin or as the API writes it."""

    @property
    def allowed(self) -> str:
        return "the id of a discount of the shop: the number at the end of its address, or gid://shopify/…"

    def accepted(self, value: object) -> str | None:
        return _gid(value, _OF_DISCOUNTS) or None

    def schema(self) -> JsonObject:
        return {"type": ["string", "integer"], "pattern": f"^(?:{_OF_DISCOUNTS})?[1-9][0-9]{{0,19}}$", "minimum": 1}


@dataclass(frozen=True, slots=True)
class _ProfilePath(Plain[str]):
    """A path inside a profile."""

    @property
    def allowed(self) -> str:
        return "a path in the customer's profile, such as metadata.shopify_id"

    def accepted(self, value: object) -> str | None:
        return value if isinstance(value, str) and re.fullmatch(PATH_PATTERN, value) else None

    def schema(self) -> JsonObject:
        return {"type": "string", "pattern": f"^{PATH_PATTERN}$"}


KEYS = Group(
    {
        "account": Key(AsWritten("the name of a Shopify account"), required=True, doc="The shop.", example="main"),
        "discount": Key(
            _DiscountId(),
            doc="A discount of the shop that the code is added to: its own value, dates and limits count.",
            default="a discount of the code's own, as its voucher says",
            example="1057856618",
        ),
        "once_per_customer": Key(
            Flag(), null="wrong", doc="Whether a customer may use the code once alone.", default="false", example="true"
        ),
        "customer_id": Key(
            _ProfilePath(),
            doc="Where the profile has the id of the shop's customer, who alone may then use the code.",
            default="everybody may use it",
            example="metadata.shopify_id",
        ),
    }
)


def _plan(written: JsonObject, context: PlanContext) -> ShopifyPlan:
    account = context.account(written.get("account"), "a Shopify account", _MORE_ACCOUNTS)
    discount = written.get("discount", "")
    _brings_code(context)
    if discount:
        _alone(written, context)
    elif context.campaign is not None:
        _sold(context.campaign, context)
    return ShopifyPlan(
        account=str(account),
        discount=discount,
        once_per_customer=written.get("once_per_customer", False),
        customer_id=written.get("customer_id", ""),
    )


def _brings_code(context: PlanContext) -> None:
    fields = context.transfer_fields
    if fields is None:
        return
    if any(isinstance(fields.find((name, "id")), Unknown) for name in ("voucher", "publication")):
        said = "is told of published codes alone, and neither trigger nor action publishes one here. A code comes with"
        context.problem(f"{said} publish: {{campaign: …}}, or with the trigger customer.publication.succeeded")


def _alone(written: JsonObject, context: PlanContext) -> None:
    for key in ("once_per_customer", "customer_id"):
        if written.get(key):
            context.problem("is said by the discount that is named as discount; set it in the shop", key)


def _sold(campaign: Campaign, context: PlanContext) -> None:
    voucher = campaign_object(campaign)["voucher"]
    reason = why_no_discount(voucher) if voucher else None
    if reason:
        context.problem(f"cannot make a discount of a code of {campaign.id}, which {reason}. Instead, {_OTHERWISE}")


def _customer(plan: ShopifyPlan, profile: Profile) -> ShopifyAddress:
    return ShopifyAddress(
        discount=plan.discount,
        once_per_customer=plan.once_per_customer,
        customer_id=_gid(_at(profile, plan.customer_id), _OF_CUSTOMERS) if plan.customer_id else "",
    )


def _at(profile: Profile, path: str) -> object:
    found: Any = profile
    for step in read_path(path):
        try:
            found = found[step]
        except (LookupError, TypeError):
            return None
    return found


def _gid(value: object, kind: str) -> str:
    """An id as the API writes it, of a number or of itself; empty for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return ""
    number = str(value).strip().removeprefix(kind)
    return kind + number if _NUMBER.fullmatch(number) else ""


def _delivery(plan: ShopifyPlan, address: ShopifyAddress, shared: Shared) -> ShopifyDelivery:
    return ShopifyDelivery(account=plan.account, shopify=address, **shared)


SHOPIFY = ChannelRules(KEYS, _plan, _customer, _delivery)
