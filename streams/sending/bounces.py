"""Bounces: when an address is not written to any more."""

from __future__ import annotations

from schemas.closed import Reason
from schemas.delivery import Delivery
from schemas.suppression import NewSuppression, address_keys


def hard_bounce(delivery: Delivery, reason: Reason | None, *, tried: bool) -> NewSuppression | None:
    """The entry for an address that its server refused for good; None where it was not asked, or had other reasons."""
    keys = address_keys(delivery.channel, delivery.reaches)
    if not tried or reason != "suppressed" or not keys:
        return None
    return NewSuppression(
        project_id=delivery.project_id,
        key=keys[0],
        channel=delivery.channel,
        reason="bounced",
        source=f"delivery {delivery.delivery_id}",
        added_by="sender",
    )
