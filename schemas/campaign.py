"""Campaigns, and the objects that are sent of them: `campaign`, `voucher` and `publication`, field for field."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal

import msgspec

from schemas.formats.durations import later

CampaignKind = Literal["DISCOUNT_COUPONS", "GIFT_VOUCHERS", "LOYALTY_PROGRAM", "REFERRAL_PROGRAM", "PROMOTION"]
"""What a campaign gives; all but PROMOTION give codes."""
PoolType = Literal["STATIC", "AUTO_UPDATE"]
"""A fixed pool, or codes made on demand from a pattern."""

VOUCHER_TYPES = {
    "DISCOUNT_COUPONS": "DISCOUNT_VOUCHER",
    "REFERRAL_PROGRAM": "DISCOUNT_VOUCHER",
    "GIFT_VOUCHERS": "GIFT_VOUCHER",
    "LOYALTY_PROGRAM": "LOYALTY_CARD",
}
EASILY_READ = "34679ACDEFGHJKMNPQRTUWXY"
"""Digits and letters of one case, none of which is taken for another: no 0 O, 1 I L, 2 Z, 5 S, 8 B, and U without V."""
LONGEST_CODE = 256
"""Characters of a code, prefix and postfix included."""


class CodeConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The making of codes: each `#` of the pattern becomes a character of the charset."""

    pattern: str
    length: int
    charset: str = EASILY_READ
    prefix: str = ""
    postfix: str = ""

    @property
    def capacity(self) -> int:
        """The number of different codes that the pattern can give."""
        return int(len(set(self.charset)) ** self.pattern.count("#"))


class Tier(msgspec.Struct, frozen=True, kw_only=True):
    """One tier of a promotion."""

    id: str
    name: str
    banner: str | None = None
    action: dict[str, Any] = {}
    metadata: dict[str, Any] = {}


class Campaign(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign as it was applied. `valid_for` is in seconds after publishing; `low_water` in codes."""

    id: str
    project_id: str
    version: int
    name: str
    kind: CampaignKind
    type: PoolType
    created_at: datetime
    updated_at: datetime | None = None
    active: bool = True
    join_once: bool = False
    auto_join: bool = False
    category_id: str | None = None
    description: str | None = None
    discount: dict[str, Any] | None = None
    gift: int | None = None
    loyalty: int | None = None
    quantity: int | None = 1
    code_config: CodeConfig | None = None
    start_date: datetime | None = None
    expiration_date: datetime | None = None
    valid_for: int | None = None
    low_water: int = 0
    metadata: dict[str, Any] = {}
    tiers: tuple[Tier, ...] = ()


class Code(msgspec.Struct, frozen=True, kw_only=True):
    """One code of a pool. `value` is its own balance, where that is not the campaign's."""

    code: str
    created_at: datetime
    start_date: datetime | None = None
    expiration_date: datetime | None = None
    value: int | None = None
    metadata: dict[str, Any] = {}


def campaign_object(campaign: Campaign) -> dict[str, Any]:
    """The `campaign` of a message."""
    config = campaign.code_config
    voucher = {
        "type": VOUCHER_TYPES.get(campaign.kind),
        "discount": campaign.discount,
        "gift": None if campaign.gift is None else {"amount": campaign.gift, "balance": campaign.gift},
        "loyalty_card": None if campaign.loyalty is None else {"points": campaign.loyalty, "balance": campaign.loyalty},
        "redemption": _redemption(campaign),
        "code_config": msgspec.to_builtins(config) if config else None,
    }
    return {
        "id": campaign.id,
        "name": campaign.name,
        "campaign_type": campaign.kind,
        "type": campaign.type,
        "is_referral_code": campaign.kind == "REFERRAL_PROGRAM",
        "voucher": voucher if campaign.kind in VOUCHER_TYPES else None,
        "auto_join": campaign.auto_join,
        "join_once": campaign.join_once,
        "active": campaign.active,
        "category_id": campaign.category_id,
        "category": None,
        "metadata": campaign.metadata,
        "start_date": moment_text(campaign.start_date),
        "expiration_date": moment_text(campaign.expiration_date),
        "description": campaign.description,
        "created_at": moment_text(campaign.created_at),
        "updated_at": moment_text(campaign.updated_at),
        "object": "campaign",
    }


def tier_object(campaign: Campaign, tier: Tier) -> dict[str, Any]:
    """The `promotion_tier` of a message."""
    return {
        "id": tier.id,
        "name": tier.name,
        "banner": tier.banner,
        "action": tier.action,
        "metadata": tier.metadata,
        "campaign_id": campaign.id,
        "object": "promotion_tier",
    }


def voucher_object(campaign: Campaign, code: Code, customer_id: str, now: datetime) -> dict[str, Any]:
    """The `voucher` of a message: one code, published to a customer at `now`."""
    return {
        "id": voucher_id(campaign.project_id, code.code),
        "code": code.code,
        **_worth(campaign, code),
        "type": VOUCHER_TYPES[campaign.kind],
        "campaign": campaign.name,
        "campaign_id": campaign.id,
        "is_referral_code": campaign.kind == "REFERRAL_PROGRAM",
        "holder_id": customer_id,
        "category_id": campaign.category_id,
        "active": True,
        "created_at": moment_text(code.created_at),
        "updated_at": moment_text(now),
        "redemption": _redemption(campaign),
        "start_date": moment_text(code.start_date or campaign.start_date),
        "expiration_date": moment_text(_expiration(campaign, code, now)),
        "metadata": code.metadata,
        "object": "voucher",
    }


def publication_object(
    *,
    publication_id: str,
    customer: Mapping[str, Any],
    customer_id: str,
    distribution_id: str,
    channel: str,
    voucher_id: str,
    now: datetime,
) -> dict[str, Any]:
    """The `publication` of a message: who got which voucher, through which distribution."""
    return {
        "id": publication_id,
        "object": "publication",
        "created_at": moment_text(now),
        "customer_id": customer_id,
        "tracking_id": customer.get("source_id"),
        "metadata": {
            "source_type": "distribution",
            "source_id": distribution_id,
            "distribution_id": distribution_id,
        },
        "channel": channel,
        "source_id": None,
        "result": "SUCCESS",
        "customer": dict(customer),
        "vouchers_id": [voucher_id],
    }


def publication_customer(profile: Mapping[str, Any]) -> dict[str, Any]:
    """A profile as it stands in a publication."""
    names = ("id", "source_id", "name", "address", "summary", "loyalty", "referrals")
    return {
        **{name: profile.get(name) for name in names},
        "metadata": profile.get("metadata") or {},
        "object": "customer",
    }


def voucher_id(project_id: str, code: str) -> str:
    """The same code of a project always has the same voucher id."""
    return "v_" + hashlib.sha256(f"{project_id}\0{code}".encode()).hexdigest()[:32]


@lru_cache(maxsize=1024)
def moment_text(moment: datetime | None) -> str | None:
    """RFC 3339 in UTC with milliseconds, as in 2024-03-13T13:46:48.136Z. Cached: a batch has few different moments."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if moment else None


def _redemption(campaign: Campaign) -> dict[str, Any]:
    return {"quantity": campaign.quantity, "redeemed_quantity": 0}


def _worth(campaign: Campaign, code: Code) -> dict[str, Any]:
    """The worth of a code: a discount, or a balance that starts from the code's own value or the campaign's."""
    if campaign.kind == "GIFT_VOUCHERS":
        amount = campaign.gift if code.value is None else code.value
        return {"gift": {"amount": amount, "balance": amount}}
    if campaign.kind == "LOYALTY_PROGRAM":
        points = campaign.loyalty if code.value is None else code.value
        return {"loyalty_card": {"points": points, "balance": points}}
    return {"discount": {name: value for name, value in (campaign.discount or {}).items() if value is not None}}


def _expiration(campaign: Campaign, code: Code, now: datetime) -> datetime | None:
    """The first of the code's own end, the campaign's, and its validity after publishing."""
    after = None if campaign.valid_for is None else later(now, campaign.valid_for)
    return min((end for end in (code.expiration_date, campaign.expiration_date, after) if end), default=None)
