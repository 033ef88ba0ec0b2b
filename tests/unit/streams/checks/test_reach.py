"""The reach of a customer on a channel."""

from __future__ import annotations

from typing import Any

import pytest

from streams.checks.reach import REACH
from streams.verdict import GO, Skip, Verdict
from tests.factory import customer
from tests.unit.streams.checks.subjects import message

EMAIL = {"email": {"account": "main", "subject": "Hi", "template": "hello"}}
WEBHOOK = {"webhook": {"url": "https://hooks.example.com/x", "type": "t"}}
NONE = Skip("no_address", "the customer has no email")


@pytest.mark.parametrize(
    ("channel", "email", "verdict"),
    [
        (WEBHOOK, None, GO),
        (EMAIL, "jo@example.com", GO),
        (EMAIL, None, NONE),
        (EMAIL, "", NONE),
        (EMAIL, " \u00a0", NONE),
    ],
)
def test_a_message_needs_the_address_of_its_channel(channel: dict[str, Any], email: Any, verdict: Verdict) -> None:
    assert REACH.judge(message(customer(email=email), channels=[channel])).verdict == verdict


@pytest.mark.parametrize("email", ["jo", "jo@", 5, ["jo@example.com"], "jo@example.com\nBcc: x@example.com"])
def test_an_address_that_mail_cannot_be_sent_to_is_none(email: Any) -> None:
    verdict = REACH.judge(message(customer(email=email), channels=[EMAIL])).verdict
    assert isinstance(verdict, Skip)
    assert verdict.reason == "no_address"
    assert verdict.detail.startswith("mail cannot be sent to the customer's email: ")
