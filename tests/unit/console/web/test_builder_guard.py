"""The condition of a distribution as a tree of fields: what is not changed reads as before, whatever its form."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.control.document_edit import GONE
from console.web.builder.guard import KEY, Group, Kept, guard_of, is_same, taken, value_of
from console.web.builder.guard_form import sections
from console.web.builder.records import FormField
from schemas.events.triggers import TRIGGERS
from streams.conditions.fields import Fields
from streams.conditions.language import All, AnyOf, Condition, Items, Not, Total
from streams.conditions.parse import parse_condition

FIELDS = Fields.of(TRIGGERS["customer.order.paid"])
PL, LARGE = {"customer.metadata.country": "PL"}, {"order.amount": {"at_least": 100, "less_than": 500}}
ITEMS = {"order.items": {"any_item": {"any": [{"sku_id": {"starts_with": "G"}}, {"amount": {"at_least": 3}}]}}}
WRITTEN: tuple[Any, ...] = (
    None, PL, LARGE, {**PL, **LARGE}, ITEMS, {"not": PL}, {"not": {"any": [PL, LARGE]}}, {"not": {"all": [PL, LARGE]}},
    {"not": {**PL, **LARGE}}, {"not": {"not": PL}}, {"any": [PL]}, {"all": [PL]}, {"any": [{**PL, **LARGE}, ITEMS]},
    {"all": [{"any": [PL, {"not": LARGE}]}, ITEMS]}, {**PL, "any": [PL, LARGE]}, {"any": [{"all": [{"any": [PL]}]}]},
    {"order.items": {"any_item": PL, "count": 2}}, {"order.items": {"every_item": {}}},
    {"any": [{"any": [{"order.amount": {"at_least": 1}}, {"order.amount": {"at_least": 2}}]}, PL]},
    {"order.items": {"count": 2}}, {"order.items": {"count": {"at_least": 2}}}, {"order.items": {"count": {"is": 0}}},
    {"order.items": {"count": {"where": {"price": {"at_least": 1000}}, "between": [1, 2.5]}}},
    {"order.items": {"sum": {"of": "amount", "where": {"any": [{"sku_id": "a"}, {"metadata.kind": "shoe"}]}, "is": 3}}},
    {"order.items": {"count": {"at_least": 2, "at_most": 5}}}, {"order.items": {"sum": {"at_least": 2}}},
    {"order.items": {"count": {"where": {"price": 1}}}}, {"order.items": {"count": {"at_least": "two"}}},
    {"order.items": {"count": [1, 2]}}, {"order.items": {"sum": {"of": "amount", "where": {}, "at_least": 2}}},
    {"not": {"customer.metadata.cards": {"count": {"where": {"brand": "x"}, "less_than": 1}}}},
)  # fmt: skip


def form_of(guard: Group) -> dict[str, str]:
    """Every field of the sections as a browser sends it."""
    fields = [one for section in sections(guard, FIELDS, ()) for one in section.fields]
    return {one.name: _sent(one) for one in fields}


def _sent(field: FormField) -> str:
    return field.value or (field.choices[0][0] if field.choices else "")


def conditions() -> st.SearchStrategy[Any]:
    """Conditions of any form, some of which are none."""
    rows = st.sampled_from((PL, LARGE, {**PL, **LARGE}, {"customer.name": {"is_set": True}}, {"order.amount": [1, 2]}))
    odd = st.sampled_from(({}, {"order.amount": {}}, {"a": None}, {"order.amount": {"nearly": 3}}, {"any": 5}))
    return st.recursive(
        rows | odd,
        lambda inner: st.one_of(
            st.fixed_dictionaries({"all": st.lists(inner, max_size=3)}),
            st.fixed_dictionaries({"any": st.lists(inner, max_size=3)}),
            st.fixed_dictionaries({"not": inner}),
            st.fixed_dictionaries({"order.items": st.fixed_dictionaries({"no_item": inner})}),
            st.fixed_dictionaries(
                {
                    "order.items": st.fixed_dictionaries(
                        {
                            "count": st.fixed_dictionaries(
                                {
                                    "where": inner,
                                    "more_than": st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
                                }
                            )
                        }
                    )
                }
            ),
        ),
        max_leaves=12,
    )


@pytest.mark.parametrize("when", WRITTEN)
def test_what_the_form_does_not_change_is_the_same(when: Any) -> None:
    _unchanged(when)


@given(conditions() | st.none() | st.integers() | st.lists(st.integers(), max_size=2))
@settings(deadline=None)
def test_a_condition_of_any_form_is_not_changed_by_showing_it(when: Any) -> None:
    _unchanged(when)


def _unchanged(when: Any) -> None:
    before = guard_of(when, FIELDS)
    after = taken(before, form_of(before), FIELDS)
    assert is_same(before, after)
    if when is not None:
        assert _meaning(value_of(after)) == _meaning(when)


def _meaning(when: Any) -> Condition | None:
    """The tree of a condition, however it is written; None of what can be read as none."""
    condition, _ = parse_condition({} if when is GONE else when, FIELDS)
    return _short(condition) if condition else None


def _short(condition: Condition) -> Condition:
    """A group of one part is that part, and parts that all have to hold are one group."""
    match condition:
        case All(parts):
            found = [_short(one) for one in parts]
            parts = tuple(one for part in found for one in (part.parts if isinstance(part, All) else (part,)))
            return parts[0] if len(parts) == 1 else All(parts)
        case AnyOf(parts):
            return _short(parts[0]) if len(parts) == 1 else AnyOf(tuple(map(_short, parts)))
        case Not(part):
            return Not(_short(part))
        case Items(path, quantifier, item):
            return Items(path, quantifier, _short(item))
        case Total(path, measure, of, where, tests):
            return Total(path, measure, of, where and _short(where), tests)
        case _:
            return condition


def test_groups_within_groups_end_somewhere() -> None:
    when: Any = PL
    for _ in range(100):
        when = {"not": when}
    assert is_same(guard_of(when, FIELDS), guard_of(when, FIELDS))
    assert len(sections(guard_of(when, FIELDS), FIELDS, ())) < 20


def test_a_part_without_fields_stays_where_it_is_while_others_change() -> None:
    two: Any = {"order.items": {"count": {"at_least": 2, "at_most": 5}}}
    before = guard_of({"any": [PL, two, LARGE]}, FIELDS)
    assert isinstance(before.parts[1], Kept)
    form = form_of(before) | {f"{KEY}_0_value": "DE"}
    assert value_of(taken(before, form, FIELDS)) == {"any": [{"customer.metadata.country": "DE"}, two, LARGE]}
    assert value_of(taken(before, form, FIELDS, "0")) == {"any": [two, LARGE]}
    assert value_of(taken(before, form, FIELDS, "2_1")) == {
        "any": [
            {"customer.metadata.country": "DE"}, two, {"order.amount": {"at_least": 100}},
        ]
    }  # fmt: skip


def test_a_count_and_a_sum_are_made_of_rows() -> None:
    """Its conditions come when it is there, and stay when it becomes another test."""
    before = guard_of(None, FIELDS)
    row = {f"{KEY}_0_{name}": text for name, text in (("path", "order.items"), ("test", "count"), ("value", "2"))}
    counted = taken(before, row, FIELDS)
    assert value_of(counted) == {"order.items": {"count": {"at_least": 2}}}
    form = form_of(counted)
    assert {f"{KEY}_0_than", f"{KEY}_0_value", f"{KEY}_0_0_path"} <= form.keys()
    assert f"{KEY}_0_of" not in form
    form |= {f"{KEY}_0_0_path": "price", f"{KEY}_0_0_test": "at_least", f"{KEY}_0_0_value": "1000"}
    some = taken(counted, form | {f"{KEY}_0_than": "between", f"{KEY}_0_value": "1, 5"}, FIELDS)
    where = {"where": {"price": {"at_least": 1000}}}
    assert value_of(some) == {"order.items": {"count": {**where, "between": [1, 5]}}}
    added = taken(some, form_of(some) | {f"{KEY}_0_test": "sum", f"{KEY}_0_of": "amount"}, FIELDS)
    assert value_of(added) == {"order.items": {"sum": {"of": "amount", **where, "between": [1, 5]}}}
    assert f"{KEY}_0_of" in form_of(added)
    whole = form_of(added) | {f"{KEY}_0_than": "at_least", f"{KEY}_0_value": "ten"}
    assert value_of(taken(added, whole, FIELDS, "0_0")) == {"order.items": {"sum": {"of": "amount", "at_least": "ten"}}}
    some_item = taken(added, form_of(added) | {f"{KEY}_0_test": "any_item"}, FIELDS)
    assert value_of(some_item) == {"order.items": {"any_item": {"price": {"at_least": 1000}}}}


def test_problems_of_a_sum_stand_at_its_fields() -> None:
    when = {"order.items": {"sum": {"of": "sku_id", "where": {"price": "x"}, "at_least": "ten"}}}
    fields = {one.path: one.name for part in sections(guard_of(when, FIELDS), FIELDS, ()) for one in part.fields}
    _, problems = parse_condition(when, FIELDS)
    assert [fields.get(one.path) for one in problems] == [f"{KEY}_0_0_value", f"{KEY}_0_of", f"{KEY}_0_value"]
