"""A voucher as a discount of a shop."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from channels.templates.money import EXPONENTS
from schemas.campaign import moment_text
from schemas.channels.shopify import ShopifyDelivery, why_no_discount
from schemas.errors import RenderRefused
from schemas.formats.days import read_moment
from schemas.record import JsonObject

_LONGEST_TITLE = 255
_WHOLE = Decimal(100)


def code_of(delivery: ShopifyDelivery) -> str:
    """The code that was published. Raises RenderRefused."""
    code = _object(delivery, "voucher").get("code")
    if not isinstance(code, str) or not code.strip():
        raise RenderRefused("no_code", "there is no code that the shop could be told of")
    return code


def basic_discount(delivery: ShopifyDelivery, currency: str) -> JsonObject:
    """The discount of one code, as a DiscountCodeBasicInput. Raises RenderRefused."""
    code, voucher, to = code_of(delivery), _object(delivery, "voucher"), delivery.shopify
    ends_at = _moment(voucher, "expiration_date", is_end=True)
    uses = _object(voucher, "redemption").get("quantity")
    made: JsonObject = {
        "title": _title(delivery, voucher),
        "code": code,
        "startsAt": moment_text(_moment(voucher, "start_date") or delivery.event.created_at),
        "appliesOncePerCustomer": to.once_per_customer,
        "context": {"customers": {"add": [to.customer_id]}} if to.customer_id else {"all": "ALL"},
        "customerGets": {"value": _value(voucher, currency), "items": {"all": True}},
    }
    if ends_at:
        made["endsAt"] = moment_text(ends_at)
    if isinstance(uses, int):
        made["usageLimit"] = uses
    return made


def worth(value: JsonObject) -> Decimal | None:
    """The number that a discount takes off, of what is written to the shop and of what the shop says."""
    amount = (value.get("discountAmount") or {}).get("amount") or (value.get("amount") or {}).get("amount")
    said = value.get("percentage") if amount is None else amount
    return None if said is None else round(Decimal(str(said)), 6)


def _title(delivery: ShopifyDelivery, voucher: JsonObject) -> str:
    """The campaign: the same for all of its codes, and for a code that is told of again."""
    campaign = _object(delivery, "campaign")
    names = (campaign.get("name"), voucher.get("campaign"), campaign.get("id"), delivery.distribution.name)
    return next(str(name) for name in names if name)[:_LONGEST_TITLE]


def _value(voucher: JsonObject, currency: str) -> JsonObject:
    reason = why_no_discount(voucher)
    if reason:
        raise _refused(f"it {reason}")
    discount: JsonObject = voucher["discount"]
    if discount["type"] == "PERCENT":
        return {"percentage": float(_number(discount, "percent_off", most=_WHOLE) / _WHOLE)}
    amount = _number(discount, "amount_off").scaleb(-EXPONENTS.get(currency, 2))
    return {"discountAmount": {"amount": f"{amount:f}", "appliesOnEachItem": False}}


def _number(discount: JsonObject, name: str, most: Decimal | None = None) -> Decimal:
    value = discount.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0 or (most and value > most):
        raise _refused(f"{name} must be a number above 0" + (f" of at most {most}" if most else ""))
    return Decimal(str(value))


def _moment(voucher: JsonObject, name: str, *, is_end: bool = False) -> datetime | None:
    written = voucher.get(name)
    moment = read_moment(written, UTC, is_end=is_end)
    if written and moment is None:
        raise _refused(f"{name} is not a date such as 2026-11-20T09:00:00Z")
    return moment


def _object(holder: ShopifyDelivery | JsonObject, name: str) -> JsonObject:
    found: Any = (holder.data if isinstance(holder, ShopifyDelivery) else holder).get(name)
    return found if isinstance(found, dict) else {}


def _refused(why: str) -> RenderRefused:
    return RenderRefused("template_error", f"the voucher cannot be a discount of the shop: {why}")
