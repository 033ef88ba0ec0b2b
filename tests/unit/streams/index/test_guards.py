"""The index holds anything with an id, a selection and a condition."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.events.triggers import TRIGGERS
from streams.conditions.fields import Fields
from streams.conditions.parse import parse_condition
from streams.index.guard import Guarded
from streams.index.guards import GuardIndex
from streams.selection import Selection
from tests.factory import NOW, context, customer

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
