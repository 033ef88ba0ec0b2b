"""The rule index finds what brute force finds."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.distribution import Distribution
from streams.conditions.answer import Answer, Failure
from streams.conditions.compile import conjunction
from streams.event_context import EventContext
from streams.index.rules import RuleIndex
from streams.index.table import Candidate
from streams.rule import compile_rule
from tests.factory import NOW, context, customer, rule

PATHS = ["customer.metadata.a", "customer.metadata.b", "order.amount", "customer.name", "order.metadata.c"]
VALUES = st.one_of(
    st.sampled_from(["x", "y", "ż", "", "X", "1990-11-20", "2025-11-20T23:30:00Z"]),
    st.integers(-3, 3),
    st.booleans(),
    st.just(2**70),
)
WILD = st.one_of(VALUES, st.none(), st.floats(), st.lists(VALUES, max_size=2), st.just({"deep": {"er": 1}}))


def some_test() -> st.SearchStrategy[dict[str, Any]]:
    equal = st.tuples(st.sampled_from(PATHS[:2]), st.sampled_from(["is", "is_not"]), VALUES)
    among = st.tuples(
        st.sampled_from(PATHS[:2]), st.sampled_from(["in", "not_in"]), st.lists(VALUES, min_size=1, max_size=3)
    )
    bound = st.tuples(
        st.sampled_from([PATHS[0], PATHS[2], PATHS[4]]),
        st.sampled_from(["at_least", "at_most", "more_than", "less_than"]),
        st.integers(-3, 3),
    )
    begin = st.tuples(st.sampled_from([PATHS[1], PATHS[3]]), st.just("starts_with"), st.sampled_from(["x", "ż"]))
    there = st.tuples(st.sampled_from(PATHS), st.just("is_set"), st.booleans())
    any_case = st.tuples(st.sampled_from(PATHS[:2]), st.sampled_from(ANY_CASE), st.sampled_from(["X", "Ż"]))
    day = st.tuples(st.sampled_from([PATHS[0], PATHS[4]]), st.sampled_from(["day_is", "on"]), st.sampled_from(DAYS))
    tests = st.one_of(equal, among, bound, begin, there, any_case, day, of_items())
    return tests.map(lambda one: {one[0]: {one[1]: one[2]}})


ANY_CASE = ["is_any_case", "contains_any_case", "starts_with_any_case", "ends_with_any_case"]
DAYS = ["today", "tomorrow", "in 7d", "365d ago"]


def of_items() -> st.SearchStrategy[tuple[str, str, Any]]:
    item = st.tuples(
        st.sampled_from(["price", "sku", "metadata.m"]), st.sampled_from(["is", "at_least", "on"]), st.integers(-3, 3)
    ).map(
        lambda one: (
            {one[0]: {one[1]: "today" if one[1] == "on" else one[2]}} if one[0] != "price" else {"price": one[2]}
        )
    )
    where: st.SearchStrategy[dict[str, Any]] = st.one_of(st.just({}), item.map(lambda condition: {"where": condition}))
    bound = st.tuples(st.sampled_from(["is", "at_least", "less_than"]), st.integers(-3, 6)).map(lambda one: dict([one]))
    counted = st.builds(lambda narrowed, test: {**narrowed, **test}, where, bound)
    added = st.builds(lambda of, total: {"of": of, **total}, st.sampled_from(["price", "sku"]), counted)
    return st.one_of(
        st.tuples(st.just("order.items"), st.sampled_from(["any_item", "every_item", "no_item"]), item),
        st.tuples(st.just("order.items"), st.just("count"), counted),
        st.tuples(st.just("order.items"), st.just("sum"), added),
    )


ITEM = st.fixed_dictionaries(
    {},
    optional={
        "price": st.integers(-3, 3),
        "sku": st.sampled_from(["x", "2026-11-20", 2]),
        "metadata": st.just({"m": 1}),
    },
)
"""One line of an order."""


CONDITIONS = st.recursive(
    some_test(),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"all": parts}),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"any": parts}),
        inner.map(lambda part: {"not": part}),
    ),
    max_leaves=5,
)


def a_rule(number: int, when: dict[str, Any] | None, selected: str | None = None) -> Distribution:
    made = rule(distribution=f"r{number}", when=when)
    trigger = msgspec.structs.replace(made.trigger, event="customer.order.paid")
    return msgspec.structs.replace(made, trigger=trigger)


def _answer(candidate: Candidate, happened: EventContext) -> Answer:
    """As the matcher does: what is left of the guard, and the whole of it where that fails."""
    answer = conjunction(candidate.tests)(happened, NOW)
    return candidate.guard.run(happened, NOW) if isinstance(answer, Failure) else answer


def an_arrival(values: list[Any], items: list[Any], zone: str | None) -> EventContext:
    """Anything may stand in metadata; the fields that are known are of their kind."""
    name = values[2] if isinstance(values[2], str) else None
    amount = values[3] if type(values[3]) is int and abs(values[3]) < 2**63 else None
    profile = customer(metadata={"a": values[0], "b": values[1]}, name=name, timezone=zone)
    order = {"id": "o1", "amount": amount, "metadata": {"c": values[4]}, "items": items}
    return context(None, data={"customer": profile, "order": order})


@settings(max_examples=300)
@given(
    st.lists(CONDITIONS, min_size=1, max_size=8),
    st.lists(WILD, min_size=5, max_size=5),
    st.lists(ITEM, max_size=3),
    st.sampled_from([None, "Asia/Tokyo", "nowhere"]),
    st.data(),
)
def test_the_index_is_equal_to_brute_force(
    conditions: list[dict[str, Any]],
    values: list[Any],
    items: list[dict[str, Any]],
    zone: str | None,
    data: st.DataObject,
) -> None:
    index = RuleIndex()
    rules = [a_rule(number, when) for number, when in enumerate(conditions)]
    for one in rules:
        index.insert(one)
    gone = data.draw(st.sets(st.sampled_from([one.id for one in rules])))
    for identity in gone:
        index.remove("shop", identity)
    happened = an_arrival(values, items, zone)
    candidates, passed_over = index.candidates(happened)
    found = {one.guard.id: _answer(one, happened) for one in candidates}
    assert len(candidates) == len(found)
    assert passed_over == len(rules) - len(gone) - len(found)
    for one in rules:
        brute = compile_rule(one).guard.run(happened.facts, NOW)
        assert index._rules["shop", one.id].guard.explain(happened, NOW)[0] == brute if one.id not in gone else True
        if one.id in gone:
            assert one.id not in found
        elif brute is True or isinstance(brute, Failure):
            assert found.get(one.id) == brute
        else:
            assert found.get(one.id, False) is False


def test_an_equality_shared_by_all_is_not_what_rules_are_kept_under() -> None:
    index = RuleIndex()
    for number in range(100):
        index.insert(a_rule(number, {"all": [{"customer.metadata.a": "x"}, {"customer.metadata.b": f"plan-{number}"}]}))
    happened = context(customer(metadata={"a": "x", "b": "plan-7"}))
    assert len(index.candidates(happened)[0]) <= 2


@pytest.mark.parametrize("status", ["DRAFT", "STOPPED", "ENDED"])
def test_what_is_not_live_or_paused_does_not_react(status: str) -> None:
    index = RuleIndex()
    index.insert(rule(status=status))
    assert index.candidates(context()) == ([], 0)


def test_a_new_version_takes_the_place_of_the_old_one() -> None:
    index = RuleIndex()
    index.insert(rule(when={"order.amount": 1}))
    index.insert(rule(when={"order.amount": 2}))
    assert len(index) == 1
    index.remove("shop", "thanks")
    assert (len(index), index.unindexed()) == (0, [])
    assert not index._guards._buckets
