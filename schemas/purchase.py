"""Purchases: the events that tell that a customer bought something, or redeemed a code, or that it was taken back."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from schemas.closed import PurchaseKind
from schemas.events.triggers import TRIGGERS

PURCHASE_EVENTS: Mapping[str, PurchaseKind] = MappingProxyType(
    {
        "customer.order.paid": "order",
        "customer.order.canceled": "order_canceled",
        "customer.redemption.succeeded": "redemption",
        "customer.redemption.rollback.succeeded": "rollback",
    }
)
"""The event types of purchases, and what each is."""
PURCHASE_TOPICS: tuple[str, ...] = tuple(dict.fromkeys(TRIGGERS[one].topic for one in PURCHASE_EVENTS))
"""The topics that have them."""
