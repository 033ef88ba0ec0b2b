"""The condition language."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from schemas.decision import Check
from schemas.events.triggers import TRIGGERS
from streams.conditions.answer import Failure
from streams.conditions.compile import PLAIN
from streams.conditions.fields import Fields
from streams.conditions.parse import parse_condition
from streams.index.rules import RuleIndex
from streams.match import match_event
from tests.factory import NOW, context, customer, rule

FIELDS = Fields.of(TRIGGERS["customer.order.paid"])


def answer(source: dict[str, Any], facts: dict[str, Any]) -> Any:
    condition, problems = parse_condition(source, FIELDS)
    assert condition, problems
    given = PLAIN.compile(condition)(facts, NOW)
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
            "city": "\u0141o\u0301DZ\u0301",
            "rates": [{"x": 0.1}, {"x": 0.2}],
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
        ({"customer.metadata.rates": {"sum": {"of": "x", "is": 0.3}}}, True),
        ({"customer.metadata.rates": {"sum": {"of": "x", "at_most": 0.3}}}, True),
        ({"customer.metadata.city": {"is_any_case": "\u0142\u00f3d\u017a"}}, True),
        ({"customer.metadata.city": {"in_any_case": ["\u0142o\u0301dz\u0301"]}}, True),
        ({"customer.metadata.city": {"starts_with_any_case": "\u0142\u00f3"}}, True),
        ({"customer.metadata.city": {"ends_with_any_case": "d\u017a"}}, True),
        ({"customer.metadata.city": {"contains_any_case": "\u00d3D"}}, True),
        ({"customer.metadata.vip": True}, True),
        ({"customer.metadata.vip": 1}, "failure"),
        ({"customer.metadata.spent": "100"}, "failure"),
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
        ({"customer.birthday": {"day_is": "tomorrow"}}, False),
        ({"customer.metadata.seen": {"day_is": "2d ago"}}, True),
        ({"customer.metadata.seen": {"on": "2d ago"}}, True),
        ({"customer.birthday": {"on": "today"}}, False),
        ({"customer.metadata.seen": {"before": "2d ago"}}, True),
        ({"customer.metadata.seen": {"before": "3d ago"}}, False),
        ({"customer.metadata.seen": {"after": "3d ago"}}, True),
        ({"customer.metadata.seen": {"before": "now", "after": "in 1d"}}, False),
        ({"customer.metadata.country": {"on": "today"}}, "failure"),
        ({"not": {"customer.metadata.country": {"day_is": "today"}}}, "failure"),
        ({"customer.metadata.country": {"in_any_case": ["de", "pl"]}}, True),
        ({"customer.metadata.country": {"contains_any_case": "l"}}, True),
        ({"customer.email": {"ends_with_any_case": "@EXAMPLE.com"}}, True),
        ({"customer.name": {"starts_with_any_case": "jO"}}, True),
        ({"customer.metadata.spent": {"starts_with_any_case": "1"}}, "failure"),
        ({"order.items": {"every_item": {"price": {"at_least": 5}}}}, True),
        ({"order.items": {"every_item": {"price": {"at_least": 6}}}}, False),
        ({"order.items": {"every_item": {"sku": {"at_least": 6}}}}, "failure"),
        ({"order.items": {"every_item": {"sku": {"at_least": 6}, "price": 5}}}, False),
        ({"order.items": {"no_item": {"sku": "HAT"}}}, True),
        ({"order.items": {"no_item": {"sku": "SHOE"}}}, False),
        ({"order.items": {"no_item": {"sku": {"more_than": 1}}}}, "failure"),
        ({"not": {"order.items": {"no_item": {"sku": {"more_than": 1}}}}}, "failure"),
        ({"order.items": {"count": 2}}, True),
        ({"order.items": {"count": {"more_than": 2}}}, False),
        ({"order.items": {"count": {"where": {"price": {"more_than": 5}}, "is": 1}}}, True),
        ({"order.items": {"count": {"where": {"sku": {"more_than": 5}}, "is": 1}}}, "failure"),
        ({"order.items": {"sum": {"of": "price", "at_least": 55}}}, True),
        ({"order.items": {"sum": {"of": "price", "between": [56, 99]}}}, False),
        ({"order.items": {"sum": {"of": "price", "where": {"sku": {"starts_with": "GIFT"}}, "at_most": 5}}}, True),
        ({"order.items": {"sum": {"of": "absent", "is": 0}}}, True),
        ({"order.items": {"sum": {"of": "sku", "is": 0}}}, "failure"),
        ({"customer.metadata.spent": {"count": 1}}, "failure"),
        ({"customer.metadata.tags": {"count": 2}}, True),
        ({"customer.metadata.tags": {"count": {"where": {"x": 1}, "is": 0}}}, "failure"),
        ({"customer.metadata.absent": {"count": 0}}, True),
        ({"customer.metadata.absent": {"no_item": {"x": 1}}}, True),
        ({"customer.metadata.absent": {"every_item": {"x": 1}}}, False),
        ({"customer.metadata.absent": {"sum": {"of": "x", "at_least": 1}}}, False),
    ],
)
def test_a_condition_answers(source: dict[str, Any], expected: Any) -> None:
    assert answer(source, FACTS) == expected


def test_a_leap_day_birthday_is_on_the_28th_in_other_years() -> None:
    condition, _ = parse_condition({"customer.birthday": {"day_is": "today"}}, FIELDS)
    assert condition
    run = PLAIN.compile(condition)
    day = NOW.replace(month=2, day=28)
    assert run({"customer": {"birthday": "2000-02-29"}}, day) is True
    assert run({"customer": {"birthday": "2000-02-29"}}, day - timedelta(days=1)) is False


@pytest.mark.parametrize(
    ("source", "path", "said"),
    [
        ({"order.amount": {"atleast": 1}}, 'when."order.amount".atleast', 'Did you mean "at_least"?'),
        ({"ordr.amount": 1}, 'when."ordr.amount"', 'Did you mean "order"?'),
        ({"customer.emial": "x"}, 'when."customer.emial"', 'Did you mean "customer.email"?'),
        ({"order.amount": {"contains": "x"}}, 'when."order.amount".contains', "does not go with a number"),
        (
            {"all": [{"order.amount": {"at_least": "5"}}]},
            'when.all[0]."order.amount".at_least',
            '"5" is not valid: must be a number',
        ),
        ({"any": []}, "when.any", "at least one condition"),
        ({"customer.metadata.x": {"matches": "("}}, 'when."customer.metadata.x".matches', "regular expression"),
        ({"customer.metadata.x": {"matches": "(?=a)"}}, 'when."customer.metadata.x".matches', "RE2"),
        (
            {"customer.metadata.x": {"within_last": "3 days"}},
            'when."customer.metadata.x".within_last',
            "as in 30m or 3d",
        ),
        ({}, "when", "must be a mapping"),
        (
            {"customer.birthday": {"day_is": "soon"}},
            'when."customer.birthday".day_is',
            "today, tomorrow, yesterday, in 7d",
        ),
        ({"customer.birthday": {"day_is": "in 5h"}}, 'when."customer.birthday".day_is', "in 7d or 7d ago"),
        ({"customer.birthday": {"on": "someday"}}, 'when."customer.birthday".on', "a date such as 2026-11-20, today"),
        ({"customer.birthday": {"before": "7d"}}, 'when."customer.birthday".before', "now, in 7d or 7d ago"),
        ({"customer.birthday": {"within_next": "999999w"}}, 'when."customer.birthday".within_next', "at most 36525d"),
        ({"order.items": {"evry_item": {"price": 1}}}, 'when."order.items".evry_item', 'Did you mean "every_item"?'),
        ({"order.amount": {"count": 1}}, 'when."order.amount".count', '"count" is not a test'),
        ({"order.items": {"count": {"atleast": 1}}}, 'when."order.items".count.atleast', 'Did you mean "at_least"?'),
        ({"order.items": {"count": {"where": {"price": 1}}}}, 'when."order.items".count', "needs a test of the number"),
        ({"order.items": {"count": "two"}}, 'when."order.items".count.is', '"two" is not valid: must be a number'),
        ({"order.items": {"sum": {"at_least": 1}}}, 'when."order.items".sum.of', "as in {of: amount, at_least: 100}"),
        ({"order.items": {"sum": {"of": "amuont", "is": 1}}}, 'when."order.items".sum.of', 'Did you mean "amount"?'),
        (
            {"order.items": {"sum": {"of": "sku_id", "is": 1}}},
            'when."order.items".sum.of',
            "must be a field that holds a number",
        ),
        (
            {"order.items": {"no_item": {"price": {"contains": "x"}}}},
            'when."order.items".no_item.price.contains',
            "does not go with a number",
        ),
        ({"customer.metadata.x": None}, 'when."customer.metadata.x".is', "is missing: must be a text"),
    ],
)
def test_a_wrong_condition_says_where_and_what_would_be_right(source: dict[str, Any], path: str, said: str) -> None:
    _, problems = parse_condition(source, FIELDS)
    assert [problem.path for problem in problems] == [path]
    assert said in problems[0].message


@pytest.mark.parametrize(
    ("born", "test", "now", "zone", "expected"),
    [
        ("1990-11-20", "today", "2026-11-20T12:00:00Z", None, True),
        ("1990-11-20", "today", "2026-11-19T22:59:00Z", "Europe/Warsaw", False),
        ("1990-11-20", "today", "2026-11-19T23:00:00Z", "Europe/Warsaw", True),
        ("1990-11-20", "today", "2026-11-20T23:00:00Z", "Europe/Warsaw", False),
        ("1990-11-20", "today", "2026-11-20T23:00:00Z", None, True),
        ("1990-11-20", "today", "2026-11-20T23:00:00Z", " ", True),
        ("1990-11-20", "today", "2026-11-19T23:00:00Z", " Europe/Warsaw ", True),
        ("1990-11-20", "today", "2026-11-21T04:00:00Z", "America/Los_Angeles", True),
        ("1990-11-20T23:30:00Z", "today", "2026-11-21T10:00:00Z", "Europe/Warsaw", False),
        ("1990-11-20T23:30:00Z", "today", "2026-11-20T10:00:00Z", "Europe/Warsaw", True),
        ("1990-11-20T00:00:00.000Z", "today", "2026-11-20T12:00:00Z", "America/New_York", True),
        ("1990-11-20T00:00:00+14:00", "today", "2026-11-20T12:00:00Z", "Pacific/Pago_Pago", True),
        ("2000-02-29T00:00:00Z", "today", "2026-03-01T04:00:00Z", "America/New_York", True),
        ("2000-02-29", "today", "2026-02-28T12:00:00Z", None, True),
        ("2000-02-29", "today", "2026-03-01T12:00:00Z", None, False),
        ("2000-02-29", "today", "2028-02-28T12:00:00Z", None, False),
        ("2000-02-29", "today", "2028-02-29T12:00:00Z", None, True),
        ("2000-02-29", "in 7d", "2026-02-21T12:00:00Z", None, True),
        ("2000-02-29", "in 7d", "2028-02-22T12:00:00Z", None, True),
        ("2000-02-28", "today", "2026-02-28T12:00:00Z", None, True),
        ("1990-01-02", "in 1w", "2026-12-26T12:00:00Z", None, True),
        ("1990-12-31", "yesterday", "2026-12-31T23:30:00Z", "Europe/Warsaw", True),
        ("1990-12-31", "3d ago", "2027-01-03T12:00:00Z", None, True),
    ],
)
def test_a_day_of_the_year_is_meant_where_the_customer_is(
    born: str, test: str, now: str, zone: str | None, expected: bool
) -> None:
    moment = datetime.fromisoformat(now)
    condition, problems = parse_condition({"customer.birthday": {"day_is": test}}, FIELDS)
    assert condition, problems
    who = customer(birthday=born, timezone=zone)
    assert PLAIN.compile(condition)({"customer": who}, moment) is expected
    index = RuleIndex()
    index.insert(rule(when={"not": {"customer.birthday": {"day_is": test}}}))
    assert match_event(context(who), index, moment).matched == (not expected)


def test_days_of_items_are_meant_where_the_customer_is_as_well() -> None:
    condition, _ = parse_condition({"order.items": {"count": {"where": {"sold": {"on": "today"}}, "is": 1}}}, FIELDS)
    assert condition
    facts = {"customer": customer(timezone="Asia/Tokyo"), "order": {"items": [{"sold": "2026-11-20T16:00:00Z"}]}}
    run = PLAIN.compile(condition)
    assert run(facts, datetime.fromisoformat("2026-11-20T16:30:00Z")) is True
    assert run(facts, datetime.fromisoformat("2026-11-20T14:30:00Z")) is False


def test_a_condition_says_itself_as_it_is_written() -> None:
    source = {
        "order.items": {"sum": {"of": "price", "where": {"sku": "x"}, "at_least": 1}, "count": 2},
        "customer.birthday": {"day_is": "in 7d"},
        "order.created_at": {"within_last": "30d"},
    }
    condition, _ = parse_condition(source, FIELDS)
    assert str(condition) == (
        "all of all of order.items sum of price where (sku is x) at_least 1; order.items count is 2; "
        "customer.birthday day_is in 7d; order.created_at within_last 30d"
    )


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
    assert PLAIN.compile(condition)(FACTS, NOW, seen.append) is PLAIN.compile(condition)(FACTS, NOW)
    assert [(check.test, check.passed, check.seen) for check in seen] == [
        ("order.amount is 5000", True, "5000"),
        ("customer.name is x", False, "Jo"),
        ("not customer.name is y", True, "Jo"),
    ]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"order.items.amount": 5}, "order.items is a list and has no amount; any_item, every_item and count ask"),
        ({"order.items": {"any_item": {"amount.net": 5}}}, "amount is a number and has no net"),
        ({"order.items": {"sum": {"of": "amount.net", "at_least": 5}}}, "amount is a number and has no net"),
        (
            {"not": {"customer.email.domain": {"is_not": "x"}}},
            "customer.email is a text and has no domain",
        ),
        ({"order.status": []}, "an empty list is not valid"),
        ({"order.status": {"starts_with": ""}}, "an empty text is not valid"),
    ],
)
def test_what_can_never_be_judged_is_refused_on_save(source: dict[str, Any], said: str) -> None:
    condition, problems = parse_condition(source, FIELDS)
    assert condition is None
    assert said in problems[0].message


def test_a_stored_path_through_a_text_stays_and_fails() -> None:
    condition, problems = parse_condition({"customer.email.domain": "x"}, FIELDS, is_stored=True)
    assert condition, problems
    assert isinstance(PLAIN.compile(condition)(FACTS, NOW), Failure)
