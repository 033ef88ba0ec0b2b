"""The condition language."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from schemas.decision import Check
from schemas.triggers import TRIGGERS
from streams.conditions.compile import compile_condition
from streams.conditions.fields import Fields
from streams.conditions.parse import parse_condition
from streams.conditions.predicates import Failure
from tests.factory import NOW, customer

FIELDS = Fields.of(TRIGGERS["customer.order.paid"])


def answer(source: dict[str, Any], facts: dict[str, Any]) -> Any:
    condition, problems = parse_condition(source, FIELDS)
    assert condition, problems
    given = compile_condition(condition)(facts, NOW)
    return "failure" if isinstance(given, Failure) else given


FACTS: dict[str, Any] = {
    "customer": customer(
        birthday="1990-11-20",
        metadata={
            "country": "PL",
            "spent": 100,
            "vip": True,
            "tags": ["a", "b"],
            "seen": "2026-11-18T00:00:00Z",
            "nan": float("nan"),
        },
    ),
    "order": {"id": "o1", "amount": 5000, "items": [{"sku": "GIFT-1", "price": 5}, {"sku": "SHOE", "price": 50}]},
}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"customer.metadata.country": "PL"}, True),
        ({"customer.metadata.country": ["DE", "PL"]}, True),
        ({"customer.metadata.country": {"is_not": "PL"}}, False),
        ({"customer.metadata.country": {"not_in": ["DE"]}}, True),
        ({"customer.metadata.country": {"is_any_case": "pl"}}, True),
        ({"customer.metadata.country": {"starts_with": "P"}}, True),
        ({"customer.metadata.country": {"matches": "^P.$"}}, True),
        ({"customer.metadata.country": {"contains": "X"}}, False),
        ({"customer.email": {"ends_with": "@example.com"}}, True),
        ({"order.amount": {"at_least": 5000}}, True),
        ({"order.amount": {"more_than": 5000}}, False),
        ({"order.amount": {"at_most": 5000, "less_than": 5001}}, True),
        ({"order.amount": {"between": [1, 4999]}}, False),
        ({"customer.metadata.vip": True}, True),
        ({"customer.metadata.vip": 1}, False),
        ({"customer.metadata.spent": "100"}, False),
        ({"customer.metadata.nan": 1}, False),
        ({"customer.metadata.tags": {"contains": "b"}}, True),
        ({"customer.metadata.absent": {"is_set": False}}, True),
        ({"customer.metadata.absent": {"at_least": 1}}, False),
        ({"customer.metadata.absent": {"is_not": 1}}, True),
        ({"not": {"customer.metadata.absent": {"starts_with": "x"}}}, True),
        ({"customer.metadata.country": {"at_least": 1}}, "failure"),
        ({"not": {"customer.metadata.country": {"at_least": 1}}}, "failure"),
        ({"any": [{"customer.metadata.country": {"at_least": 1}}, {"order.amount": 5000}]}, True),
        ({"all": [{"customer.metadata.country": {"at_least": 1}}, {"order.amount": 1}]}, False),
        ({"all": [{"customer.metadata.country": {"at_least": 1}}, {"order.amount": 5000}]}, "failure"),
        ({"order.items": {"any_item": {"sku": {"starts_with": "GIFT"}, "price": {"less_than": 10}}}}, True),
        ({"order.items": {"any_item": {"sku": {"starts_with": "GIFT"}, "price": {"more_than": 10}}}}, False),
        ({"customer.metadata.seen": {"within_last": "3d"}}, True),
        ({"customer.metadata.seen": {"within_last": "1d"}}, False),
        ({"customer.metadata.seen": {"before": "2026-11-19"}}, True),
        ({"customer.metadata.seen": {"on": "2026-11-18"}}, True),
        ({"customer.metadata.country": {"after": "2026-11-19"}}, "failure"),
        ({"customer.birthday": {"day_is": "today"}}, True),
    ],
)
def test_a_condition_answers(source: dict[str, Any], expected: Any) -> None:
    assert answer(source, FACTS) == expected


def test_a_leap_day_birthday_is_on_the_28th_in_other_years() -> None:
    condition, _ = parse_condition({"customer.birthday": {"day_is": "today"}}, FIELDS)
    assert condition
    run = compile_condition(condition)
    day = NOW.replace(month=2, day=28)
    assert run({"customer": {"birthday": "2000-02-29"}}, day) is True
    assert run({"customer": {"birthday": "2000-02-29"}}, day - timedelta(days=1)) is False


@pytest.mark.parametrize(
    ("source", "path", "said"),
    [
        ({"order.amount": {"atleast": 1}}, 'when."order.amount".atleast', "Did you mean at_least?"),
        ({"ordr.amount": 1}, 'when."ordr.amount"', "Did you mean order?"),
        ({"customer.emial": "x"}, 'when."customer.emial"', "Did you mean customer.email?"),
        ({"order.amount": {"contains": "x"}}, 'when."order.amount".contains', "does not go with a number"),
        (
            {"all": [{"order.amount": {"at_least": "5"}}]},
            'when.all[0]."order.amount".at_least',
            "takes a number, not a text",
        ),
        ({"any": []}, "when.any", "at least one condition"),
        ({"customer.metadata.x": {"matches": "("}}, 'when."customer.metadata.x".matches', "regular expression"),
        ({"customer.metadata.x": {"matches": "(?=a)"}}, 'when."customer.metadata.x".matches', "RE2"),
        (
            {"customer.metadata.x": {"within_last": "3 days"}},
            'when."customer.metadata.x".within_last',
            "as in 30m or 3d",
        ),
        ({}, "when", "is a mapping"),
        ({"customer.metadata.x": None}, 'when."customer.metadata.x".is', "not nothing"),
    ],
)
def test_a_wrong_condition_says_where_and_what_would_be_right(source: dict[str, Any], path: str, said: str) -> None:
    _, problems = parse_condition(source, FIELDS)
    assert [problem.path for problem in problems] == [path]
    assert said in problems[0].message


def test_size_and_depth_are_bounded() -> None:
    deep: dict[str, Any] = {"order.amount": 1}
    for _ in range(20):
        deep = {"not": deep}
    wide = {"any": [{"order.amount": number} for number in range(300)]}
    assert "deeper" in parse_condition(deep, FIELDS)[1][0].message
    assert "more than 256" in parse_condition(wide, FIELDS)[1][0].message


def test_explain_is_the_same_function_with_a_recorder() -> None:
    source = {"any": [{"order.amount": 5000}, {"customer.name": "x"}, {"not": {"customer.name": "y"}}]}
    condition, _ = parse_condition(source, FIELDS)
    assert condition
    seen: list[Check] = []
    assert compile_condition(condition)(FACTS, NOW, seen.append) is compile_condition(condition)(FACTS, NOW)
    assert [(check.test, check.passed, check.seen) for check in seen] == [
        ("order.amount is 5000", True, "5000"),
        ("customer.name is x", False, "Jo"),
        ("not customer.name is y", True, "Jo"),
    ]
