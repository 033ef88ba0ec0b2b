"""The public outcome of a delivery that is over, by how the ledger has it."""

from __future__ import annotations

from typing import Literal

from schemas.closed import DeliveryOutcome, Reason

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
