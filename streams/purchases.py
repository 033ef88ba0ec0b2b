"""A purchase, read from its event: what was bought or redeemed, and for how much."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from schemas.closed import PurchaseKind
from schemas.purchase import PURCHASE_EVENTS

_LARGEST = 2**63
"""No amount is as large."""
_CURRENCY = 3
"""Letters of a currency."""


class Purchase(NamedTuple):
    """A purchase. `subject_id` is that of the order or the redemption; of one taken back it is of what is taken back.

    `amount` is that of the order, in minor units: what the customer paid, where the event says it.
    """

    kind: PurchaseKind
    subject_id: str
    code: str | None
    amount: int | None
    currency: str | None


def purchase_of(event: Mapping[str, Any]) -> Purchase | None:
    """The purchase of an event as plain mappings; None for one that is of none, or does not say of which."""
    kind = PURCHASE_EVENTS.get(str(event.get("type")))
    data = event.get("data")
    if kind is None or not isinstance(data, Mapping):
        return None
    subject = _text(data, "redemption_rollback", "redemption") if kind == "rollback" else None
    subject = subject or _text(data, "order" if kind in ("order", "order_canceled") else "redemption", "id")
    if subject is None:
        return None
    code = _text(data, "voucher", "code") if kind == "redemption" else None
    amount = _whole(data, "order", "total_amount")
    if amount is None:
        amount = _whole(data, "order", "amount")
    return Purchase(kind, subject, code, amount, _currency(data))


def _currency(data: Mapping[str, Any]) -> str | None:
    """The order's currency, which upstream may have beside the fields that are known, or in the metadata."""
    written = _text(data, "order", "currency") or _text(data, "order", "metadata", "currency")
    if written is None or len(written) != _CURRENCY or not written.isascii() or not written.isalpha():
        return None
    return written.upper()


def _at(data: Mapping[str, Any], *path: str) -> Any:
    found: Any = data
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _text(data: Mapping[str, Any], *path: str) -> str | None:
    found = _at(data, *path)
    return found if isinstance(found, str) and found else None


def _whole(data: Mapping[str, Any], *path: str) -> int | None:
    """A whole number, also one that was written as 1200.0; None for all else."""
    found = _at(data, *path)
    if isinstance(found, bool) or not isinstance(found, int | float) or not -_LARGEST < found < _LARGEST:
        return None
    return int(found) if found == int(found) else None
