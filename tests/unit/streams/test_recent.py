"""Recent sends: idempotent by delivery, pruned, and the ground for `duplicate`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from streams.evaluation import Matched
from streams.event_context import EventContext
from streams.index.rules import RuleIndex
from streams.match import match_event
from streams.recent import KEPT, MOST, other_event_sent, read_recent, sent, with_sent
from tests.factory import NOW, context, order_event, rule


def an_id(number: int) -> str:
    return f"dlv_{number:032x}"


@given(st.lists(st.integers(0, 100), min_size=1, max_size=80))
def test_the_same_sends_again_change_nothing(numbers: list[int]) -> None:
    entries = [sent(an_id(number), f"ev{number}", NOW + timedelta(seconds=number)) for number in numbers]
    once = with_sent([], entries)
    assert with_sent(read_recent(once), entries) == once


def test_only_so_many_are_kept_the_newest() -> None:
    entries = [sent(an_id(number), "ev", NOW + timedelta(seconds=number)) for number in range(MOST + 10)]
    assert read_recent(with_sent([], entries)) == entries[10:]


def test_what_must_not_come_again_outlives_what_may() -> None:
    row, welcome = None, sent(an_id(0), "ev0", NOW, lasts=True)
    for number in range(3 * MOST):
        one = welcome if number == 0 else sent(an_id(number), f"ev{number}", NOW + timedelta(seconds=number))
        row = with_sent(read_recent(row), [one])
    kept = read_recent(row)
    assert len(kept) == MOST
    assert kept[0] == welcome
    assert other_event_sent(kept, an_id(0), "ev_new") == welcome


def test_rows_of_the_first_releases_are_read() -> None:
    row = msgspec.msgpack.encode([[b"d" * 16, b"e" * 8, 1_760_000_000]])
    assert [one.lasts for one in read_recent(row)] == [False]


def test_what_is_too_old_is_forgotten() -> None:
    old, new = sent(an_id(1), "ev1", NOW), sent(an_id(2), "ev2", NOW + KEPT + timedelta(seconds=1))
    assert read_recent(with_sent([old], [new])) == [new]


def test_only_another_event_makes_a_duplicate() -> None:
    recent = [sent(an_id(1), "ev1", NOW)]
    assert other_event_sent(recent, an_id(1), "ev1") is None
    assert other_event_sent(recent, an_id(1), "ev2") == recent[0]
    assert other_event_sent(recent, an_id(2), "ev2") is None


def match(row: bytes | None, **changes: Any) -> Matched:
    index = RuleIndex()
    index.insert(rule(again="once_per_customer"))
    head = context(**changes).head
    return match_event(EventContext(head, order_event(**changes), dict, recent=lambda: row), index, NOW)


def test_once_per_customer_is_decided_as_duplicate_the_second_time() -> None:
    first = match(None)
    row = with_sent([], first.sent)
    again = match(row)
    assert (again.deliveries, again.sent) == (first.deliveries, first.sent), "a replay decides the same"
    second = match(row, id="ev2")
    assert [(one.outcome, one.reason) for one in second.decisions] == [("skipped", "duplicate")]
    assert second.deliveries == []
