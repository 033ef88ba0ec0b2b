"""Bounces: when an address is not written to any more."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from schemas.closed import ChannelName, Reason
from schemas.delivery import Delivery
from schemas.suppression import Address, NewSuppression, SuppressionReason, address_keys

BOUNCING: Mapping[ChannelName, SuppressionReason] = {"email": "bounced", "sms": "unsubscribed"}
"""Channels that write to addresses which may be refused for good, and the reason of that where one is sent to."""
JUDGED: frozenset[ChannelName] = frozenset({"email"})
"""Channels whose accounts are closed by their providers where too much comes back."""
SOFT_BOUNCES = 5
"""So many in a row, with nothing taken in between, are no passing trouble."""
SOFT_BOUNCES_SPAN = timedelta(days=3)
"""From the first to the last of them: a mailbox that is full over a weekend is no reason."""
SOFT_BOUNCE_REST = timedelta(days=30)
"""For so long the address is left alone."""


def address_of(delivery: Delivery) -> Address | None:
    """The address that a delivery went to, as it is compared; None where it is not one."""
    keys = address_keys(delivery.channel, delivery.reaches)
    return Address(delivery.project_id, delivery.channel, keys[0]) if keys else None


def hard_bounce(delivery: Delivery, reason: Reason | None, *, tried: bool) -> NewSuppression | None:
    """The entry for an address that its server refused for good; None where it was not asked, or had other reasons."""
    return _entry(delivery, None) if tried and reason == "suppressed" else None


def long_bounce(delivery: Delivery, bounces: int, span: timedelta) -> NewSuppression | None:
    """The entry for an address after soft bounces in a row; None where these may be passing trouble."""
    return _entry(delivery, SOFT_BOUNCE_REST) if bounces >= SOFT_BOUNCES and span >= SOFT_BOUNCES_SPAN else None


def _entry(delivery: Delivery, lasts: timedelta | None) -> NewSuppression | None:
    address = address_of(delivery)
    if address is None:
        return None
    return NewSuppression(
        project_id=delivery.project_id,
        key=address.key,
        channel=delivery.channel,
        reason=BOUNCING.get(delivery.channel, "bounced") if lasts is None else "bounced",
        source=f"delivery {delivery.delivery_id}",
        added_by="sender",
        lasts=lasts,
    )
