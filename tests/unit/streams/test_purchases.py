"""Purchases as they are read from events: by type, whatever kind fields are of."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.events.triggers import TRIGGERS
from schemas.purchase import PURCHASE_EVENTS, PURCHASE_TOPICS
from streams.purchases import Purchase, purchase_of

ORDER = {"id": "ord_1", "amount": 12_000, "total_amount": 9_000}
REDEEMED = {"redemption": {"id": "r_1"}, "voucher": {"code": "SPRING-1"}}


def event(kind: str, **data: Any) -> dict[str, Any]:
    return {"type": kind, "data": {"customer": {"id": "c1"}, **data}}


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        ("customer.order.paid", {"order": ORDER}, ("order", "ord_1", None, 9_000, None)),
        ("customer.order.canceled", {"order": {"id": "o"}}, ("order_canceled", "o", None, None, None)),
        ("customer.order.created", {"order": ORDER}, None),
        ("customer.order.paid", {"order": {"amount": 1}}, None),
        ("customer.order.paid", {"order": {"id": ""}}, None),
        ("customer.order.paid", {"order": "ord_1"}, None),
        ("customer.redemption.succeeded", {**REDEEMED}, ("redemption", "r_1", "SPRING-1", None, None)),
        (
            "customer.redemption.succeeded",
            {**REDEEMED, "order": {**ORDER, "currency": "eur"}},
            ("redemption", "r_1", "SPRING-1", 9_000, "EUR"),
        ),
        (
            "customer.redemption.succeeded",
            {"redemption": {"id": "r_1", "amount": 7}, "promotion_tier": {"id": "t"}},
            ("redemption", "r_1", None, None, None),
        ),
        (
            "customer.redemption.rollback.succeeded",
            {**REDEEMED, "redemption_rollback": {"id": "rr_1", "redemption": "r_0"}},
            ("rollback", "r_0", None, None, None),
        ),
        (
            "customer.redemption.rollback.succeeded",
            {**REDEEMED, "redemption_rollback": {"id": "rr_1"}},
            ("rollback", "r_1", None, None, None),
        ),
    ],
)
def test_an_event_says_what_was_bought(kind: str, data: dict[str, Any], expected: tuple[Any, ...] | None) -> None:
    assert purchase_of(event(kind, **data)) == (expected and Purchase(*expected))


@pytest.mark.parametrize(
    ("order", "amount"),
    [
        ({"amount": 5}, 5),
        ({"amount": 5, "total_amount": None}, 5),
        ({"amount": 5, "total_amount": 0}, 0),
        ({"amount": 1200.0}, 1200),
        ({"amount": 12.5}, None),
        ({"amount": "12"}, None),
        ({"amount": True}, None),
        ({"amount": 2**63}, None),
        ({"amount": float("inf")}, None),
        ({"amount": float("nan")}, None),
        ({"amount": -300}, -300),
    ],
)
def test_an_amount_is_a_whole_number_or_is_not_known(order: dict[str, Any], amount: int | None) -> None:
    found = purchase_of(event("customer.order.paid", order={"id": "o", **order}))
    assert found is not None and found.amount == amount


@pytest.mark.parametrize(
    ("order", "currency"),
    [
        ({"currency": "PLN"}, "PLN"),
        ({"metadata": {"currency": "pln"}}, "PLN"),
        ({"currency": "zloty"}, None),
        ({"currency": "Zł!"}, None),
        ({"currency": 985}, None),
        ({"metadata": []}, None),
    ],
)
def test_a_currency_has_three_letters_or_is_not_known(order: dict[str, Any], currency: str | None) -> None:
    found = purchase_of(event("customer.order.paid", order={"id": "o", **order}))
    assert found is not None and found.currency == currency


def test_types_of_purchases_are_types_of_events() -> None:
    assert PURCHASE_EVENTS.keys() <= TRIGGERS.keys()
    assert PURCHASE_TOPICS == ("events.orders", "events.redemptions")
