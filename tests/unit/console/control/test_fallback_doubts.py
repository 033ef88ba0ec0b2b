"""Fallbacks of which nobody tells how far a message came: said on save."""

from __future__ import annotations

from typing import Any

import pytest

from console.control.fallback_doubts import fallback_doubts
from schemas.tracking import Tracking
from tests.factory import rule

EMAIL = {"email": {"account": "main", "subject": "Hi", "text": "Hi"}}
HOOK = {"webhook": {"url": "https://shop.example.com/hooks", "type": "x"}}


@pytest.mark.parametrize(
    ("channels", "unless", "has_callbacks", "said"),
    [
        ([EMAIL, HOOK], "delivered", True, ""),
        ([EMAIL, HOOK], "delivered", False, "no provider can tell that a message of email was delivered"),
        ([HOOK, EMAIL], "delivered", False, ""),
        ([EMAIL, HOOK], "opened", True, "that a message was opened is known only where somebody else writes it"),
        ([HOOK, EMAIL], "clicked", False, "everybody gets the next channel as well. Else take delivered"),
    ],
)
def test_a_fallback_of_which_nobody_tells_is_said(
    channels: list[object], unless: str, has_callbacks: bool, said: str
) -> None:
    one = rule(channels=channels, order="first_available", fallback_after={"time": "1d", "unless": unless})
    found = fallback_doubts(one, has_callbacks=has_callbacks)
    assert [problem.path for problem in found] == (["fallback_after.unless"] if said else [])
    assert all(said in problem.message for problem in found)


@pytest.mark.parametrize(
    ("channels", "tracking", "said"),
    [
        (
            [EMAIL, HOOK],
            Tracking(clicks=True),
            "known only of customers with the consent tracking: everybody else gets",
        ),
        ([EMAIL, HOOK], Tracking(opens=True), "known only where somebody else writes it"),
        ([HOOK, EMAIL], Tracking(opens=True, clicks=True), "known only where somebody else writes it"),
    ],
)
def test_where_emails_tell_of_themselves_it_is_said_of_whom(channels: list[object], tracking: Any, said: str) -> None:
    one = rule(channels=channels, order="first_available", fallback_after={"time": "1d", "unless": "clicked"})
    (found,) = fallback_doubts(one, has_callbacks=True, tracking=tracking)
    assert said in found.message


def test_without_a_fallback_nothing_is_said() -> None:
    assert not fallback_doubts(rule(channels=[EMAIL, HOOK]), has_callbacks=False)
