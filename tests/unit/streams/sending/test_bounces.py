"""An address that is refused for good is left alone; other refusals say nothing about it."""

from __future__ import annotations

import pytest

from schemas.closed import Reason
from streams.sending.bounces import hard_bounce
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
