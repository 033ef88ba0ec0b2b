"""An address that is refused for good is left alone; other refusals say nothing about it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from schemas.closed import Reason
from streams.sending.bounces import hard_bounce, long_bounce
from tests.factory import delivery


@pytest.mark.parametrize(
    ("channel", "reason", "tried", "is_bounce"),
    [
        ("email", "suppressed", True, True),
        ("email", "suppressed", False, False),
        ("email", None, True, False),
        ("email", "expired", False, False),
        ("webhook", None, True, False),
    ],
)
def test_only_an_asked_server_that_knows_no_such_address_counts(
    channel: str, reason: Reason | None, tried: bool, is_bounce: bool
) -> None:
    made = delivery(channel)
    found = hard_bounce(made, reason, tried=tried)
    assert (found is not None) == is_bounce
    if found:
        assert (found.project_id, found.key, found.channel) == (made.project_id, made.email.to.lower(), "email")


@pytest.mark.parametrize(
    ("bounces", "days", "rests"), [(5, 3, True), (4, 9, False), (50, 2.9, False), (6, 30, True), (1, 0, False)]
)
def test_soft_bounces_in_a_row_over_days_rest_an_address(bounces: int, days: float, rests: bool) -> None:
    found = long_bounce(delivery("email"), bounces, timedelta(days=days))
    assert (found is not None) == rests
    if found:
        assert (found.lasts, found.expires_at) == (timedelta(days=30), None)
