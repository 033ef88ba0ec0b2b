"""The public outcome of what the ledger says."""

from __future__ import annotations

import pytest

from schemas.closed import DeliveryOutcome, Reason
from streams.sending.outcome import EndState, outcome_of


@pytest.mark.parametrize(
    ("state", "reason", "outcome"),
    [
        ("sent", None, "sent"),
        ("recovered", None, "recovered"),
        ("failed", None, "failed"),
        ("failed", "template_error", "failed"),
        ("failed", "suppressed", "suppressed"),
        ("failed", "consent", "suppressed"),
        ("failed", "expired", "expired"),
        ("failed", "canceled", "canceled"),
        ("sent", "expired", "sent"),
    ],
)
def test_an_outcome_is_the_end_or_why_it_failed(
    state: EndState, reason: Reason | None, outcome: DeliveryOutcome
) -> None:
    assert outcome_of(state, reason) == outcome
