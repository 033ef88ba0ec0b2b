"""The addresses that a sandbox reaches."""

from __future__ import annotations

import pytest

from schemas.closed import ChannelName
from schemas.suppression import suppression_key
from streams.sending.sandbox import outside_sandbox

ALLOW = frozenset(map(suppression_key, ("Ann@shop.example", "test.example", "*.hooks.example", "127.0.0.1")))


@pytest.mark.parametrize(
    ("channel", "address", "passes"),
    [
        ("email", "ann@shop.example", True),
        ("email", "Ann@Shop.example", True),
        ("email", "ann+news@shop.example", False),
        ("email", "bob@shop.example", False),
        ("email", "bob@TEST.example", True),
        ("email", "bob@sub.test.example", False),
        ("email", "bob@test.example.evil.example", False),
        ("email", "ann@shop.example,bob@else.example", False),
        ("email", "", False),
        ("webhook", "a.hooks.example", True),
        ("webhook", "a.hooks.example:8443", True),
        ("webhook", "hooks.example", False),
        ("webhook", "127.0.0.1:8080", True),
        ("webhook", "ann@shop.example", False),
        ("webhook", "", False),
    ],
)
def test_only_the_listed_are_reached(channel: ChannelName, address: str, passes: bool) -> None:
    judgement = outside_sandbox(channel, address, ALLOW)
    assert (judgement is None) is passes
    assert outside_sandbox(channel, address, None) is None
    assert outside_sandbox(channel, address, ()) is not None


def test_it_ends_as_suppressed_without_its_provider_being_asked() -> None:
    judgement = outside_sandbox("email", "bob@shop.example", ())
    assert judgement is not None
    assert (judgement.state, judgement.reason, judgement.tried) == ("failed", "suppressed", False)
    assert "sandbox" in judgement.detail
