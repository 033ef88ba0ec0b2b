"""A distribution in plain sentences."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest

from console.web.summary import sentences
from tests.factory import rule


def said(**changes: Any) -> str:
    return " ".join(sentences(rule(**changes), UTC))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "When “Orders: order paid” happens, its customer gets"),
        (
            {"trigger": {"event": "customer.segment.entered", "segment": "lapsed"}},
            "When “Segments: segment entered” (lapsed) happens",
        ),
        (
            {"trigger": "manual_distribution_schedule", "channels": [{"sms": {"account": "main", "text": "Hi"}}]},
            "When somebody sends it, its customer gets",
        ),
        ({"when": {"order.amount": {"at_least": 1000}}}, "happens, and its conditions hold, its customer gets"),
        ({"consent": "transactional"}, "It is transactional: it needs no consent."),
        ({"consent": "marketing"}, "It is for those who have given the consent marketing."),
        ({"again": "once_per_customer"}, "A customer gets it once."),
        ({"again": {"once_in": "30d"}}, "A customer gets it once in 30d."),
        ({"again": {"once_per": "order.id"}}, "A customer gets it once for each order.id."),
        ({"delay": "2h"}, "It waits 2h after the event, and is judged again then."),
        ({"expires_after": "2d"}, "What could not be sent within 2d is not sent any more."),
        ({"starts_at": "2026-12-01T08:00Z"}, "It starts on 2026-12-01 08:00 UTC."),
        ({"holdout": "5%"}, "5 % of its customers get nothing, so that both can be compared."),
        ({"priority": 3}, "Its priority is 3; higher ones go first."),
    ],
)
def test_what_decides_about_it_is_said(changes: dict[str, Any], expected: str) -> None:
    assert expected in said(**changes)


def test_an_address_is_said_without_what_may_be_secret() -> None:
    text = said(channels=[{"webhook": {"url": "https://shop.example/hooks?token=secret", "type": "x"}}])
    assert "a webhook at shop.example" in text
    assert "secret" not in text
