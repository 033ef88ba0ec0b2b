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
from streams.conditions.language import All, AnyOf, Condition, Items, Not
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
        case _:
            return condition


def test_groups_within_groups_end_somewhere() -> None:
    when: Any = PL
    for _ in range(100):
        when = {"not": when}
    assert is_same(guard_of(when, FIELDS), guard_of(when, FIELDS))
    assert len(sections(guard_of(when, FIELDS), FIELDS, ())) < 20


def test_a_part_without_fields_stays_where_it_is_while_others_change() -> None:
    before = guard_of({"any": [PL, {"order.items": {"count": 2}}, LARGE]}, FIELDS)
    assert isinstance(before.parts[1], Kept)
    form = form_of(before) | {f"{KEY}_0_value": "DE"}
    assert value_of(taken(before, form, FIELDS)) == {
        "any": [{"customer.metadata.country": "DE"}, {"order.items": {"count": 2}}, LARGE]
    }
    assert value_of(taken(before, form, FIELDS, "0")) == {"any": [{"order.items": {"count": 2}}, LARGE]}
    assert value_of(taken(before, form, FIELDS, "2_1")) == {
        "any": [
            {"customer.metadata.country": "DE"}, {"order.items": {"count": 2}}, {"order.amount": {"at_least": 100}},
        ]
    }  # fmt: skip
