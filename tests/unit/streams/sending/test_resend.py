"""Judgement of failed deliveries that are to be sent again."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.closed import Reason
from streams.sending.resend import stands_against

YES, NO = {"consents": {"marketing": True}}, {"consents": {"marketing": False}}


@pytest.mark.parametrize(
    ("category", "profile", "known", "against"),
    [
        ("marketing", YES, None, None),
        ("marketing", NO, None, "consent"),
        ("marketing", {}, None, "consent"),
        ("marketing", {"consents": "marketing"}, None, "consent"),
        ("marketing", {"consents": {"marketing": "yes"}}, None, "consent"),
        ("news", YES, None, "consent"),
        ("marketing", None, None, None),
        ("transactional", NO, None, None),
        ("transactional", None, "duplicate", "duplicate"),
        ("marketing", YES, "suppressed", "suppressed"),
        ("marketing", NO, "duplicate", "consent"),
    ],
)
def test_what_stands_against_sending_again(
    category: str, profile: dict[str, Any] | None, known: Reason | None, against: Reason | None
) -> None:
    assert stands_against(category, profile, known) == against
