"""Fallbacks of which nobody tells how far a message came: said on save."""

from __future__ import annotations

import pytest

from console.control.fallback_doubts import fallback_doubts
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


def test_without_a_fallback_nothing_is_said() -> None:
    assert not fallback_doubts(rule(channels=[EMAIL, HOOK]), has_callbacks=False)
