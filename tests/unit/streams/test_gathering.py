"""Priority: of what comes shortly one after another, the highest takes the last place of a cap."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec

from agents.roles.matcher.source import Source
from schemas.distribution import Publish
from schemas.hold import Hold
from streams.event_context import EventContext
from streams.index.rules import RuleIndex
from streams.match import match_due, match_event
from streams.outcome import Matched, Waits
from streams.recent import read_recent, with_sent
from tests.factory import NOW, context, order_event, rule

CAP: dict[str, Any] = {"at_most": 1, "in": "day", "gather": "30s"}
SOON = NOW + timedelta(seconds=30)


class Customer:
    """A customer's row, and what waits for them."""

    def __init__(self, *rules: dict[str, Any]) -> None:
        self.index, self.row, self.decided = RuleIndex(), b"", list[tuple[str, str, str | None]]()
        for one in rules:
            self.index.insert(rule(**one))

    def event(self, number: int, amount: int) -> list[Hold]:
        return self._taken(match_event(self._context(number, amount), self.index, NOW))

    def due(self, hold: Hold, amount: int) -> list[Hold]:
        return self._taken(match_due(self._context(int(hold.event.id), amount), hold, self.index, SOON))

    def _context(self, number: int, amount: int) -> EventContext:
        event = order_event(id=str(number))
        event["data"]["order"]["amount"] = amount
        head = context(**event).head
        return EventContext(head, event, dict, recent=lambda: self.row or None)

    def _taken(self, matched: Matched) -> list[Hold]:
        if matched.sent:
            self.row = with_sent(read_recent(self.row or None), matched.sent, self.index.cap_span)
        self.decided += [(one.distribution.id, one.outcome, one.reason) for one in matched.decisions]
        return [held(one) for one in matched.holds]


def held(waits: Waits) -> Hold:
    return Source("events.orders", b"c1", b"{}", [], 0).hold(waits)


def two(**cap: Any) -> Customer:
    return Customer(
        {"distribution": "low", "when": {"order.amount": {"less_than": 100}}, "priority": 1, "cap": {**CAP, **cap}},
        {"distribution": "high", "when": {"order.amount": {"at_least": 100}}, "priority": 5, "cap": {**CAP, **cap}},
    )


def test_the_last_place_waits_with_its_priority() -> None:
    customer = two()
    (low,), (high,) = customer.event(1, 5), customer.event(2, 500)
    assert customer.decided == [("low", "deferred", "gathered"), ("high", "deferred", "gathered")]
    assert [(one.reason, one.until, one.priority, one.step) for one in (low, high)] == [
        ("gathered", SOON, 1, 0), ("gathered", SOON, 5, 0)
    ]  # fmt: skip
    assert not [one for one in read_recent(customer.row) if one.channel], "what waits takes no place"


def test_what_comes_back_first_takes_it_and_is_not_gathered_again() -> None:
    customer = two()
    (low,), (high,) = customer.event(1, 5), customer.event(2, 500)
    assert not customer.due(high, 500)
    assert not customer.due(low, 5)
    assert customer.decided[2:] == [("high", "emitted", None), ("low", "skipped", "capped")]
    assert not customer.due(high, 500), "a release that comes twice"
    assert customer.decided[-1] == ("high", "emitted", None)


def test_what_waits_for_its_turn_keeps_its_priority() -> None:
    customer = two(then={"wait": "3d"})
    (low,), (high,) = customer.event(1, 5), customer.event(2, 500)
    customer.due(high, 500)
    (turn,) = customer.due(low, 5)
    assert (turn.reason, turn.priority, turn.round) == ("capped", 1, 1)


def test_places_before_the_last_are_given_at_once() -> None:
    customer = two(at_most=2)
    assert not customer.event(1, 5)
    assert len(customer.event(2, 5)) == 1
    assert customer.decided == [("low", "emitted", None), ("low", "deferred", "gathered")]


def test_a_code_is_claimed_after_the_wait() -> None:
    customer = two()
    for one in list(customer.index):
        publish = Publish(campaign="c", when_empty="stop")
        customer.index.insert(msgspec.structs.replace(one.distribution, publish=publish))
    (low,) = customer.event(1, 5)
    assert (low.step, low.priority) == (None, 1), "the whole send waits"
    assert not customer.due(low, 5)
