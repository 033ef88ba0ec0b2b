"""The consent of a customer."""

from __future__ import annotations

from typing import Any

import pytest

from streams.checks.consent import CONSENT
from streams.verdict import GO, Skip
from tests.factory import customer
from tests.unit.streams.checks.subjects import subject


@pytest.mark.parametrize(
    ("consents", "category", "seen", "passes"),
    [
        ({"marketing": True}, "marketing", "given", True),
        ({"marketing": False}, "marketing", "withdrawn", False),
        ({"loyalty": True}, "marketing", "never given", False),
        ({"marketing": None}, "marketing", "never given", False),
        ({}, "marketing", "never given", False),
        (None, "marketing", "never given", False),
        ({"marketing": 1}, "marketing", "neither given nor withdrawn, but 1 (number)", False),
        ({"marketing": "yes"}, "marketing", 'neither given nor withdrawn, but "yes" (text)', False),
        ("all", "marketing", "neither given nor withdrawn, but consents is a text and has nothing inside", False),
        ({"marketing": False}, "transactional", "transactional", True),
        (None, "transactional", "transactional", True),
    ],
)
def test_true_alone_is_a_consent(consents: Any, category: str, seen: str, passes: bool) -> None:
    asked = subject(customer(consents=consents), consent=category)
    assert CONSENT.judge(asked).verdict == (GO if passes else Skip("consent", f"{category}: {seen}"))
    assert CONSENT.judge(asked)[1:] == (f"consent {category}", seen)
