"""Tests that are answered at once, and items from an event's head: the same answers as when each test is told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import DefinitionInvalid
from streams.event_context import EventContext
from streams.index.rules import RuleIndex
from tests.factory import NOW, context, customer
from tests.unit.streams.index.test_rules import a_rule

VALUE: st.SearchStrategy[Any] = st.sampled_from(
    ["x", "", " ", "2", 2, 2.0, 2.5, -1, True, None, [], {}, [1], 2**70, "ż" * 70]
)
ITEM = st.one_of(
    st.fixed_dictionaries({}, optional={"sku_id": st.sampled_from(["x", "y", None]), "price": st.integers(-2, 2)}),
    st.fixed_dictionaries({}, optional=dict.fromkeys(("sku_id", "price", "quantity", "new"), VALUE)),
    st.sampled_from([None, "x", [], {}]),
)
ORDER: st.SearchStrategy[Any] = st.one_of(
    st.fixed_dictionaries({"id": st.just("o1")}, optional={"items": st.lists(ITEM, max_size=3) | VALUE}),
    st.fixed_dictionaries({"id": st.just("o1"), "items": st.lists(ITEM, max_size=3)}, optional={"amount": VALUE}),
)
TEST = st.sampled_from(
    [
        {"is": "x"}, {"in": ["x", "y"]}, {"is": 2}, {"in": ["x", 2]}, {"is": True}, {"at_least": 2}, {"at_least": 1.5},
        {"is_not": "x"}, {"starts_with": "x"},
    ]
)  # fmt: skip
OF_ITEM = st.tuples(st.sampled_from(["sku_id", "price", "quantity", "new"]), TEST).map(lambda one: {one[0]: one[1]})
MANY = st.lists(OF_ITEM, min_size=1, max_size=3)
WHERE = st.one_of(OF_ITEM, MANY.map(lambda some: {"any": some}), OF_ITEM.map(lambda one: {"not": one}))
CONDITION = st.one_of(
    st.tuples(st.sampled_from(["any_item", "every_item", "no_item"]), WHERE).map(
        lambda one: {"order.items": {one[0]: one[1]}}
    ),
    st.tuples(st.sampled_from(["customer.metadata.a", "order.metadata.b", "customer.name"]), TEST).map(
        lambda one: {one[0]: one[1]}
    ),
)


def guard_of(when: dict[str, Any]) -> Any:
    index = RuleIndex()
    index.insert(a_rule(1, when))
    return index._rules["shop", "r1"].guard


def has_decoded(happened: EventContext, what: str = "event_facts") -> bool:
    try:
        EventContext.__dict__[what].__get__(happened)
    except AttributeError:
        return False
    return True


@settings(max_examples=400)
@given(CONDITION, ORDER, VALUE, VALUE)
def test_an_answer_is_the_same_whether_its_tests_are_told_or_not(when: Any, order: Any, one: Any, two: Any) -> None:
    try:
        guard = guard_of(when)
    except DefinitionInvalid:  # a number in place of a text
        return
    data = {"customer": customer(metadata={"a": one}), "order": {**order, "metadata": {"b": two}}}
    assert guard.run(context(None, data=data), NOW) == guard.explain(context(None, data=data), NOW)[0]


@pytest.mark.parametrize(
    ("when", "answer", "of_none", "decoded"),
    [
        ({"any_item": {"sku_id": {"starts_with": "A-"}}}, True, False, False),
        ({"any_item": {"sku_id": "B-1"}}, False, False, False),
        ({"every_item": {"all": [{"price": {"at_least": 1}}, {"not": {"sku_id": "x"}}]}}, True, False, False),
        ({"every_item": {"price": {"at_least": 3}}}, False, False, False),
        ({"no_item": {"any": [{"sku_id": "x"}, {"price": 7}]}}, True, True, False),
        ({"no_item": {"price": 2}}, False, True, False),
        ({"any_item": {"metadata.kind": "shoe"}}, False, False, True),
        ({"any_item": {"own": "shoe"}}, False, False, True),
    ],
)
def test_known_fields_of_items_are_read_without_decoding_the_event(
    when: dict[str, Any], answer: bool, of_none: bool, decoded: bool
) -> None:
    guard = guard_of({"order.items": when})
    for items, right in (([{"sku_id": "A-1", "price": 2}], answer), ([], of_none)):
        happened = context(None, data={"customer": customer(), "order": {"id": "o1", "items": items}})
        assert guard.run(happened, NOW) is right
        assert has_decoded(happened) is decoded


@pytest.mark.parametrize(
    ("when", "event", "profile"),
    [
        ({"order.amount": 100, "customer.metadata.a": "x"}, False, False),
        ({"order.own": "yes"}, True, False),
        ({"order.items": {"any_item": {"own": "yes"}}}, True, False),
        ({"customer.own": "yes"}, False, True),
        ({"all": [{"order.own": "yes"}, {"customer.own": "yes"}]}, True, True),
    ],
)
def test_a_path_outside_the_head_has_no_more_decoded_than_it_leads_into(when: Any, event: bool, profile: bool) -> None:
    """The profile of the table counts, and the event's customer where the table has none."""
    guard = guard_of(when)
    order = {"id": "o1", "amount": 100, "own": "yes", "items": [{"sku_id": "A", "own": "yes"}]}
    yes, no = (customer(metadata={"a": "x"}, own=own) for own in ("yes", "no"))
    happened = context(yes, data={"customer": no, "order": order})
    assert guard.run(happened, NOW) is True
    assert (has_decoded(happened), has_decoded(happened, "customer_facts")) == (event, profile)
    assert not has_decoded(happened, "facts")
    assert guard.run(context(None, data={"customer": yes, "order": order}), NOW) is True
    assert guard.run(context(no, data={"customer": yes, "order": order}), NOW) is not profile
    assert happened.facts == {**happened.event_facts, "customer": yes}
    assert list(happened.facts) == list(happened.event_facts)


def test_what_costs_least_is_tested_first_however_a_rule_is_written() -> None:
    costly = [
        {"order.own": {"starts_with": "x"}},
        {"order.items": {"any_item": {"own": "x"}}},
        {"not": {"customer.own": {"contains": "x"}}},
        {"any": [{"order.own": {"contains": "x"}}, {"order.own": {"contains": "y"}}]},
        {"customer.metadata.since": {"within_last": "3d"}},
        {"order.amount": {"less_than": 5}},
    ]
    guard, happened = guard_of({"all": costly}), context(customer())
    tests = guard.without(())
    assert tests[:2] == (guard.runs[5], guard.runs[4])
    assert tests[0](happened, NOW) is False
    assert set(tests) == set(guard.runs)
    assert not has_decoded(happened)
