"""Sends that wait, and events that end them, whichever of the two was read first."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from schemas.distribution import Distribution
from schemas.errors import DefinitionInvalid
from schemas.hold import Hold
from streams.index.rules import RuleIndex
from streams.match import match_due, match_event
from streams.outcome import Matched
from streams.waiting import KEPT, MOST, RELEASED, Changes, ended_by, ending, opened, read_waiting, with_changes
from tests.factory import NOW, context, rule
from tests.unit.streams.test_delay import held

HOLD = "hld_" + "0" * 31 + "1"
PAID = {"trigger": {"event": "customer.order.paid"}}


def waits(at: int = 0, key: object = "o1", hold: str = HOLD, distribution: str = "d", due: int = 60) -> Changes:
    moment = NOW + timedelta(minutes=at)
    return Changes(opened=[opened(hold, "shop", distribution, key, moment, NOW + timedelta(minutes=due))])


def ends(at: int = 0, key: object = "o1", distribution: str = "d", event: str = "ev2") -> Changes:
    return Changes(endings=[ending("shop", distribution, key, NOW + timedelta(minutes=at), event)])


def row(*changes: Changes, now: Any = NOW) -> bytes:
    made: bytes | None = None
    for one in changes:
        made = with_changes(made, one, now)
    assert made is not None
    return made


@pytest.mark.parametrize(
    ("first", "second", "is_ended"),
    [
        (waits(0), ends(1), True),
        (waits(0), ends(0), True),
        (waits(1), ends(0), False),
        (waits(0), ends(1, key="o2"), False),
        (waits(0), ends(1, distribution="other"), False),
        (waits(0, key=1), ends(1, key="1"), True),
    ],
)
def test_an_event_that_is_not_earlier_ends_what_waits_in_either_order(
    first: Changes, second: Changes, is_ended: bool
) -> None:
    for order in ((first, second), (second, first)):
        assert (ended_by(row(*order), HOLD) is not None) == is_ended


def test_what_has_ended_stays_so_and_says_by_what() -> None:
    made = row(waits(), ends(1), ends(2, event="ev3"), waits())
    ended = ended_by(made, HOLD)
    assert ended is not None
    assert ended.event == "ev2"
    assert ended_by(None, HOLD) is None
    assert ended_by(made, "hld_" + "2" * 32) is None


def test_rows_forget_what_is_over() -> None:
    made = with_changes(row(ends(1)), waits(hold="hld_" + "3" * 32), NOW + KEPT + timedelta(seconds=1))
    assert read_waiting(made).endings == []
    long_after = NOW + timedelta(minutes=60) + RELEASED + timedelta(seconds=1)
    assert read_waiting(with_changes(row(waits()), Changes(), long_after)).opened == []


def test_a_row_has_a_bound_and_keeps_what_is_due_last() -> None:
    holds = [f"hld_{number:032x}" for number in range(MOST + 5)]
    made = row(*(waits(hold=one, due=number) for number, one in enumerate(holds)))
    assert [one.hold.hex() for one in read_waiting(made).opened] == [one[4:] for one in holds[5:]]


# -- in the matcher's judgement ---------------------------------------------------------------------------------------


def matched(one: Distribution, **changes: Any) -> Matched:
    index = RuleIndex()
    index.insert(one)
    return match_event(context(**changes), index, NOW)


def reminder(**unless: Any) -> Distribution:
    written = {"trigger": {"event": "customer.order.paid"}, **unless}
    return rule(trigger={"event": "customer.order.created"}, delay="1h", unless=written)


def created(one: Distribution, **changes: Any) -> Matched:
    return matched(one, id="ev0", type="customer.order.created", **changes)


def due(one: Distribution, hold: Hold, made: bytes) -> Matched:
    index = RuleIndex()
    index.insert(one)
    about = context(id="ev0", type="customer.order.created")
    return match_due(about, hold, index, hold.due_at, ended_by(made, hold.hold_id))


@pytest.mark.parametrize(
    ("unless", "changes", "reason"),
    [
        ({}, {}, "canceled"),
        ({"same": "order.id"}, {}, "canceled"),
        ({"same": "order.id"}, {"data": {"customer": {"id": "c1"}, "order": {"id": "o9"}}}, None),
        ({"when": {"order.amount": {"at_least": 1}}}, {}, "canceled"),
        ({"when": {"order.amount": {"at_least": 9999}}}, {}, None),
        ({}, {"created_at": (NOW - timedelta(minutes=1)).isoformat()}, None),
    ],
)
def test_a_send_that_is_ended_while_it_waits_says_so(
    unless: dict[str, Any], changes: dict[str, Any], reason: str | None
) -> None:
    one = reminder(**unless)
    first, second = created(one), matched(one, **changes)
    made = row(first.waiting, second.waiting)
    (decision,) = due(one, held(first.holds[0]), made).decisions
    assert decision.reason == reason
    assert reason is None or "customer.order.paid, event ev1" in str(decision.detail)


def test_a_distribution_that_no_longer_asks_for_an_end_goes_on() -> None:
    one = reminder()
    first = created(one)
    made = row(first.waiting, matched(one).waiting)
    without = rule(trigger={"event": "customer.order.created"}, delay="1h")
    (decision,) = due(without, held(first.holds[0]), made).decisions
    assert decision.outcome == "emitted"


def test_an_event_that_cannot_be_judged_ends_nothing_and_says_why() -> None:
    for unless, said in (
        ({"when": {"order.metadata.tier": {"at_least": 3}}}, "unless: "),
        ({"same": "order.metadata.tier"}, "unless: unless same order.metadata.tier"),
    ):
        data = {"customer": {"id": "c1"}, "order": {"id": "o1", "metadata": {"tier": ["gold"]}}}
        found = matched(reminder(**unless), data=data)
        assert not found.waiting
        (decision,) = found.decisions
        assert decision.reason == "rule_error"
        assert str(decision.detail).startswith(said)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"delay": None}, "unless: needs a delay"),
        ({"unless": {"trigger": "customer.order.payed"}}, "unless.trigger.event"),
        ({"unless": {"trigger": "customer.order.paid", "same": "voucher.code"}}, "unless.same"),
        ({"unless": {"trigger": "customer.order.paid", "when": {"voucher.code": "x"}}}, "unless.when"),
        ({"unless": {"when": {}}}, "unless.trigger"),
        ({"unless": "customer.order.paid"}, "unless"),
    ],
)
def test_what_could_never_end_anything_is_refused_on_save(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(DefinitionInvalid) as refused:
        rule(**{"delay": "1h", "unless": PAID, **changes})
    assert said in str(refused.value)
