"""The template of an e-mail that names none: by what its distribution does, and for a plain message by its trigger."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.closed import Action

_MESSAGES: Mapping[str, str] = {
    "customer.segment.entered": "message",
    "customer.segment.left": "message",
    "customer.custom_event": "message",
    "manual_distribution_schedule": "message",
    "customer.order.created": "order-created",
    "customer.order.updated": "order-updated",
    "customer.order.paid": "order-paid",
    "customer.order.canceled": "order-canceled",
    "customer.redemption.succeeded": "redemption",
    "customer.redemption.rollback.succeeded": "redemption-rollback",
    "customer.voucher.gift.balance_added": "credits",
    "customer.voucher.loyalty_card.points_added": "points",
    "customer.voucher.loyalty_card.points_expired": "points-expired",
    "customer.voucher.loyalty_card.pending_points.added": "points-pending",
    "customer.voucher.loyalty_card.pending_points.updated": "points-pending",
    "customer.voucher.loyalty_card.pending_points.canceled": "points-pending-canceled",
    "customer.voucher.loyalty_card.pending_points.activated": "points",
    "customer.rewarded": "reward",
    "customer.reward_redemptions.completed": "reward-redeemed",
    "customer.rewarded.loyalty_points": "points",
    "customer.publication.succeeded": "code",
    "customer.loyalty.tier.joined": "tier-joined",
    "customer.loyalty.tier.left": "tier-left",
    "customer.loyalty.tier.prolonged": "tier-prolonged",
    "customer.loyalty.tier.upgraded": "tier-upgraded",
    "customer.loyalty.tier.downgraded": "tier-downgraded",
    "customer.referred": "referral",
}
_ACTIONS: Mapping[Action, str] = {"publish": "code", "promote": "promotion"}


def default_template(event_type: str, action: Action) -> str:
    """Its name: a template of this name in files or stored is the project's own, else there is the product's."""
    return f"default-{_ACTIONS.get(action) or _MESSAGES[event_type]}"
