"""The public outcome of a delivery that is over, by how the ledger has it, and the record that tells it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from schemas.closed import DeliveryOutcome, Reach, Reason
from schemas.code_key import published_code_key
from schemas.decision import DeliveryStatus
from schemas.delivery import Delivery

EndState = Literal["sent", "recovered", "failed"]
"""How a delivery ends in the ledger; also the last word of `customer.<channel>.<end>`."""


def outcome_of(state: EndState, reason: Reason | None) -> DeliveryOutcome:
    """Tell the failures that no provider is to blame for from the others."""
    match reason:
        case "consent" if state == "failed":
            return "suppressed"
        case "suppressed" | "expired" | "canceled" if state == "failed":
            return reason
        case _:
            return state


def reach_of(status: DeliveryStatus) -> Reach | None:
    """The point to which a message came; None for a status that does not say. Who answers a webhook has it."""
    match status.outcome:
        case "delivered" | "opened" | "clicked":
            return status.outcome
        case "sent" | "recovered" if status.channel == "webhook":
            return "delivered"
        case _:
            return None


def is_over(status: DeliveryStatus) -> bool:
    """True where a message will come nowhere. One that somebody cancelled is left out: it was not meant to come."""
    return status.outcome in ("failed", "suppressed", "expired", "bounced")


def delivery_status(
    delivery: Delivery,
    end: str,
    *,
    outcome: DeliveryOutcome,
    detail: str,
    provider_id: str | None,
    attempts: int,
    occurred_at: datetime,
    reason: Reason | None = None,
    through: str | None = None,
) -> DeliveryStatus:
    """The record of `delivery.status`; `end` is the last word of its type.

    `through` is the account that it went through in place of its own.
    """
    return DeliveryStatus(
        delivery_id=delivery.delivery_id,
        project_id=delivery.project_id,
        distribution=delivery.distribution,
        event=delivery.event,
        customer_id=delivery.customer.id,
        channel=delivery.channel,
        account=through or delivery.account,
        type=f"customer.{delivery.channel}.{end}",
        outcome=outcome,
        reason=reason,
        detail=detail,
        provider_id=provider_id,
        attempts=attempts,
        occurred_at=occurred_at,
        due_at=delivery.not_before,
        arm=delivery.arm,
        code_key=published_code_key(delivery.project_id, delivery.data),
    )
