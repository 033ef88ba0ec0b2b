"""The index holds anything with an id, a selection and a condition."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import DefinitionInvalid
from schemas.events.triggers import TRIGGERS
from streams.conditions.fields import Fields
from streams.conditions.parse import parse_condition
from streams.index.guard import Guard, Guarded
from streams.index.guards import GuardIndex
from streams.index.rules import RuleIndex
from streams.selection import Selection
from tests.factory import NOW, context, customer, rule

PAID = "customer.order.paid"


def guarded(identity: str, when: Any, *, project: str = "shop", event: str = PAID) -> Guarded:
    condition = None
    if when is not None:
        condition, problems = parse_condition(when, Fields.of(TRIGGERS[event]))
        assert not problems
    return Guarded(identity, Selection(project, event), condition)


def found(index: GuardIndex, **metadata: Any) -> set[str]:
    happened = context(customer(metadata=metadata))
    candidates, _ = index.candidates(happened)
    return {guard.id for guard, tests in candidates if all(test(happened, NOW) is True for test in tests)}


def test_an_event_finds_what_is_selected_and_fits() -> None:
    index = GuardIndex()
    for one in (
        guarded("gold", {"customer.metadata.tier": "gold"}),
        guarded("silver", {"customer.metadata.tier": "silver"}),
        guarded("all", None),
        guarded("elsewhere", None, project="other"),
        guarded("created", None, event="customer.order.created"),
    ):
        index.add(index.compile(one))
    assert found(index, tier="gold") == {"gold", "all"}
    assert found(index) == {"all"}
    assert [(selection.event, one) for selection, one in index.unindexed()] == [
        (PAID, "all"), (PAID, "elsewhere"), ("customer.order.created", "created")
    ]  # fmt: skip


@pytest.mark.parametrize("count", [1, 40])
def test_what_goes_out_leaves_the_others(count: int) -> None:
    index = GuardIndex()
    guards = [
        index.compile(guarded(f"g{number}", {"customer.metadata.value": {"at_least": number}}))
        for number in range(count)
    ]
    for guard in guards:
        index.add(guard)
    for number, guard in enumerate(guards):
        assert found(index, value=count) == {f"g{other}" for other in range(number, count)}
        index.discard(guard)
    assert not index._buckets


CONDITIONS: list[Any] = [
    None,
    {"customer.metadata.a": "x"},
    {"customer.metadata.a": ["x", "y"], "customer.metadata.b": 1},
    {"customer.metadata.b": 1, "customer.metadata.v": {"at_least": 2}},
    {"customer.metadata.v": {"less_than": 2}},
    {"any": [{"customer.metadata.a": "x"}, {"customer.metadata.b": 2}]},
]


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 7), st.sampled_from(CONDITIONS)), max_size=40))
def test_what_goes_in_and_out_and_in_again_is_found_as_by_trying_all(changes: list[tuple[int, Any]]) -> None:
    """Each change takes out what is in under its number, or puts in what is not."""
    index, held = GuardIndex(), dict[int, Guard]()
    for number, when in changes:
        if number in held:
            index.discard(held.pop(number))
        else:
            held[number] = index.compile(guarded(f"g{number}", when))
            index.add(held[number])
        for metadata in ({}, {"a": "x", "b": 1, "v": 2}, {"a": "y", "b": 2, "v": 1}):
            happened = context(customer(metadata=metadata))
            assert found(index, **metadata) == {one.id for one in held.values() if one.run(happened, NOW) is True}


@pytest.mark.parametrize(
    ("at", "fitting"),
    [
        ("2026-11-20T10:00:00+00:00", {"utc", "tokyo", "lima"}),
        ("2026-11-20T03:00:00+00:00", {"utc", "tokyo"}),
        ("2026-11-20T20:00:00+00:00", {"utc", "lima"}),
    ],
)
def test_days_begin_where_each_project_is_for_customers_without_a_timezone(at: str, fitting: set[str]) -> None:
    index, now = GuardIndex(), datetime.fromisoformat(at)
    guard = guarded("utc", {"customer.birthday": {"day_is": "today"}})
    zones = {"utc": None, "tokyo": ZoneInfo("Asia/Tokyo"), "lima": ZoneInfo("America/Lima")}
    for name, zone in zones.items():
        index.add(index.compile(replace(guard, id=name, zone=zone)))

    def born(**changes: Any) -> set[str]:
        happened = context(customer(birthday="1990-11-20", **changes))
        candidates, _ = index.candidates(happened)
        return {one.id for one, tests in candidates if all(test(happened, now) is True for test in tests)}

    assert born() == fitting
    assert born(timezone="UTC") == set(zones)


def test_a_zone_that_this_machine_does_not_know_is_told_of_the_definition() -> None:
    with pytest.raises(DefinitionInvalid, match="Europe/Warsow"):
        RuleIndex().insert(msgspec.structs.replace(rule(), timezone="Europe/Warsow"))
