"""Shopify: what is planned, the discount code that a delivery is about, and its accounts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from schemas.account_fields import (
    COMMON_FIELDS,
    AccountField,
    AccountForm,
    AccountType,
    ascii_secret,
    base_url,
    line,
    whole,
)
from schemas.channels.mail_oauth import Grant
from schemas.channels.plan import Plan
from schemas.channels.profile import ProfileDelivery
from schemas.closed import ChannelName
from schemas.record import Record, doc

MOST_CODES = 250
"""That one request adds to a discount."""
_VERSION = re.compile(r"\d{4}-(?:01|04|07|10)|unstable", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)


class ShopifyPlan(Plan, frozen=True, kw_only=True, tag_field="channel", tag="shopify"):
    """Make the published code a discount code of the shop."""

    channel: ClassVar[ChannelName] = "shopify"
    account: str
    discount: Annotated[str, doc("The discount that gets the code; empty: one of its own.")] = ""
    once_per_customer: bool = False
    customer_id: Annotated[str, doc("Where the profile has the id of the shop's customer; empty: for everybody.")] = ""


class ShopifyAddress(Record, frozen=True, kw_only=True):
    """The discount that gets the code, and for whom it is."""

    discount: Annotated[str, doc("The discount that gets the code; empty: one of its own.")] = ""
    once_per_customer: bool = False
    customer_id: Annotated[str, doc("The shop's customer who may use it; empty: everybody.")] = ""


class ShopifyDelivery(ProfileDelivery, frozen=True, kw_only=True):
    """A record of `deliveries.shopify`."""

    channel: ClassVar[ChannelName] = "shopify"
    shopify: ShopifyAddress

    @property
    def reaches(self) -> str:
        """The shop's customer, or else the code: the shop is told of nobody."""
        voucher = self.data.get("voucher")
        return self.shopify.customer_id or (str(voucher.get("code") or "") if isinstance(voucher, dict) else "")

    def redacted_address(self) -> ShopifyAddress:
        """Only what its author wrote, which is the same for every customer."""
        return ShopifyAddress(discount=self.shopify.discount, once_per_customer=self.shopify.once_per_customer)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopifyAccountForm(AccountForm):
    """A shop, and an app in it: its access token, or the id and the secret that it is given one for, each day another.

    `version` is the version of the API that is spoken. `currency` is the shop's: amounts are written with its decimals.
    `batch_size` are the codes that one request adds to a discount.
    """

    url: str
    access_token: str = field(default="", repr=False)
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    version: str = "2026-10"
    currency: str = "USD"
    batch_size: int = MOST_CODES

    @property
    def path(self) -> str:
        """The path of the API below `url`."""
        return f"/admin/api/{self.version}/graphql.json"

    @property
    def grant(self) -> Grant | None:
        """The right to access tokens (RFC 6749, 4.4); None where the account has one that lasts."""
        if self.access_token:
            return None
        return Grant(f"{self.url}/admin/oauth/access_token", self.client_id, self.client_secret)


def why_no_discount(voucher: Mapping[str, Any]) -> str | None:
    """The reason why no discount of a shop takes off what a voucher says, after `which`; None where one does."""
    discount = voucher.get("discount")
    if not isinstance(discount, Mapping):
        return "takes nothing off a price, as gift and loyalty cards"
    formula = next((name for name in discount if str(name).endswith("_formula") and discount[name]), None)
    if discount.get("type") not in ("PERCENT", "AMOUNT"):
        return f"is of type {discount.get('type')}: a shop takes off a percentage or an amount"
    if formula:
        return f"has a {formula}, which the shop cannot work out"
    if discount.get("amount_limit") is not None:
        return "has an amount_limit: percentages have none in a shop, which would take off more"
    if discount.get("effect") not in (None, "APPLY_TO_ORDER"):
        return f"has the effect {discount['effect']}: in a shop it would work on the whole order"
    return None


def _version(text: str) -> str:
    if not _VERSION.fullmatch(text):
        raise ValueError(f'"{text[:20]}" is not valid: must be a version such as 2026-10')
    return text


def _currency(text: str) -> str:
    if not _CURRENCY.fullmatch(text):
        raise ValueError(f'"{text[:20]}" is not valid: must be a currency of ISO 4217 such as USD')
    return text


def _problems(account: ShopifyAccountForm) -> Mapping[str, str]:
    if account.access_token:
        unused = [name for name in ("client_id", "client_secret") if getattr(account, name)]
        return dict.fromkeys(unused, "must be left out: access_token is a login by itself")
    missing = [name for name in ("client_id", "client_secret") if not getattr(account, name)]
    if len(missing) == 2:
        return {"access_token": "is missing, or client_id and client_secret of the app in its place"}
    return dict.fromkeys(missing, "is missing: an app is given access tokens for both")


SHOPIFY_ACCOUNT = AccountType(
    ShopifyAccountForm,
    (
        AccountField("url", base_url, is_required=True, is_place=True),
        AccountField("access_token", ascii_secret, "secret"),
        AccountField("client_id", line),
        AccountField("client_secret", ascii_secret, "secret"),
        AccountField("version", _version),
        AccountField("currency", _currency),
        AccountField("batch_size", whole(1, MOST_CODES), "number"),
        *COMMON_FIELDS,
    ),
    _problems,
    example=ShopifyAccountForm(url="https://example.myshopify.com", access_token="example"),  # noqa: S106 - no secret
)
