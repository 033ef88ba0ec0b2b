"""A test of conditions is known in one table: with one entry more it is parsed, compiled, explained, written down."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from console.reference.pages import conditions_page
from schemas.decision import Check
from schemas.events.triggers import TRIGGERS
from streams.conditions.answer import Answer, Failure, unfit
from streams.conditions.compile import PLAIN
from streams.conditions.fields import Fields
from streams.conditions.moments import changes_at
from streams.conditions.operands import NUMBER
from streams.conditions.parse import parse_condition
from streams.conditions.predicates import PREDICATES, Predicate
from streams.documents.json_schema import SCHEMAS
from tests.factory import NOW, definition
from tests.json_schema import is_valid

FIELDS = Fields.of(TRIGGERS["customer.order.paid"])


def longer_than(least: int) -> Any:
    def check(value: Any, _now: datetime) -> Answer | None:
        return len(value) > least if type(value) is str else unfit(value, "a text")

    return check


@pytest.fixture(autouse=True)
def one_test_more(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Predicate(
        kinds=("text",),
        operand=NUMBER,
        build=longer_than,
        changes=lambda _value, _operand, now: now + timedelta(minutes=1),
        absent=lambda least: least < 0,
        of_number=NUMBER,
        example="order.id: {longer_than: 3}",
    )
    monkeypatch.setitem(PREDICATES, "longer_than", made)


def problem(source: dict[str, Any]) -> str:
    _, (found,) = parse_condition(source, FIELDS)
    return found.message


def test_it_is_parsed_with_its_operand_and_its_kinds() -> None:
    condition, problems = parse_condition({"order.id": {"longer_than": 3}}, FIELDS)
    assert (str(condition), problems) == ("order.id longer_than 3", ())
    assert problem({"order.id": {"longer_than": "x"}}) == '"x" is not valid: must be a number'
    assert problem({"order.id": {"longer_tan": 3}}).startswith(
        '"longer_tan" is not a test. Did you mean "longer_than"?'
    )
    assert "does not go with a number" in problem({"order.amount": {"longer_than": 3}})
    assert parse_condition({"order.items": {"count": {"longer_than": 3}}}, FIELDS)[1] == ()


@pytest.mark.parametrize(
    ("order", "answer"),
    [({"id": "o123"}, True), ({"id": "o1"}, False), ({}, False), ({"id": 7}, "needs a text, the value is 7 (number)")],
)
def test_it_is_compiled_and_explained(order: dict[str, Any], answer: bool | str) -> None:
    condition, _ = parse_condition({"order.id": {"longer_than": 3}}, FIELDS)
    assert condition is not None
    checks: list[Check] = []
    run = PLAIN.compile(condition)
    found, explained = run({"order": order}, NOW), run({"order": order}, NOW, checks.append)
    assert found == explained == (answer if isinstance(answer, bool) else Failure(f"order.id longer_than 3: {answer}"))
    passed = answer if isinstance(answer, bool) else None
    assert [(one.test, one.passed) for one in checks] == [("order.id longer_than 3", passed)]


def test_a_missing_value_has_the_answer_that_it_says() -> None:
    condition, _ = parse_condition({"order.id": {"longer_than": -1}}, FIELDS)
    assert condition is not None
    assert PLAIN.compile(condition)({"order": {}}, NOW) is True


def test_the_clock_changes_it_when_it_says() -> None:
    condition, _ = parse_condition({"customer.metadata.since": {"longer_than": 3}}, FIELDS)
    assert condition is not None
    moment = changes_at(condition)
    assert moment is not None
    assert moment({"customer": {"metadata": {"since": "2026-11-20"}}}, NOW) == NOW + timedelta(minutes=1)


def test_editors_and_the_reference_know_it() -> None:
    schema = SCHEMAS["distribution"]()
    assert is_valid(definition(when={"order.id": {"longer_than": 3}}), schema)
    assert not is_valid(definition(when={"order.id": {"longer_than": "x"}}), schema)
    assert not is_valid(definition(when={"order.id": {"longer_tan": 3}}), schema)
    page = conditions_page()
    assert "| longer_than | `order.id: {longer_than: 3}` |" in page
    assert "is_set, longer_than |" in page
