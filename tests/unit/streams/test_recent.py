"""Recent sends: idempotent by delivery, pruned, and the ground for `duplicate`."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas.closed import CHANNELS
from streams.event_context import EventContext
from streams.index.rules import RuleIndex
from streams.match import match_event
from streams.outcome import Matched
from streams.recent import (
    KEPT,
    MOST,
    MOST_COUNTED,
    Sent,
    channel_number,
    counted,
    has_counted,
    is_overfull,
    other_event_sent,
    read_recent,
    sent,
    with_sent,
)
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


def count_of(number: int, seconds: int = 0, **changes: Any) -> Sent:
    """The entry of a delivery that counts so many seconds after now, of an event of now."""
    how: Any = {"lasts": False, "channel": "email", "category": "marketing"} | changes
    return counted(an_id(number), f"ev{number}", NOW, now=NOW + timedelta(seconds=seconds), **how)


def test_rows_of_the_first_releases_are_read() -> None:
    now = sent(an_id(1), "ev1", NOW, lasts=True)
    event = hashlib.blake2b(b"ev1", digest_size=8).digest()
    row = msgspec.msgpack.encode([[bytes.fromhex(an_id(1)[4:]), event, now.at, True], [b"d" * 16, b"e" * 8, now.at]])
    entries = read_recent(row)
    assert (entries[0], entries[1].lasts) == (now, False)
    assert read_recent(with_sent(entries, [now])) == entries
    assert not has_counted(entries, an_id(1), "ev1"), "it has not said that it counts"


def test_each_channel_has_a_number_of_its_own() -> None:
    numbers = set(map(channel_number, CHANNELS))
    assert len(numbers) == len(CHANNELS)
    assert all(0 < number < 128 for number in numbers), "0 is what waits; more takes a second byte"


def test_an_entry_is_small() -> None:
    row = with_sent([], [count_of(number, number) for number in range(10)])
    assert len(row) / 10 < 34


def test_what_has_counted_keeps_the_time_of_its_first_entry() -> None:
    first, again = count_of(1, 10), count_of(1, 500)
    assert read_recent(with_sent([first], [again])) == [first]
    assert has_counted([first], an_id(1), "ev1")
    assert not has_counted([first], an_id(1), "ev2")


def test_what_waited_counts_once_it_leaves() -> None:
    waits, leaves = sent(an_id(1), "ev1", NOW), count_of(1, 500)
    assert not has_counted([waits], an_id(1), "ev1")
    assert read_recent(with_sent([waits], [leaves])) == [leaves]
    assert read_recent(with_sent([leaves], [waits])) == [leaves]


def test_another_event_that_asks_for_the_same_counts_at_its_own_time() -> None:
    first = count_of(1, 10)
    other = counted(
        an_id(1), "ev2", NOW, lasts=False, channel="email", category="marketing", now=NOW + timedelta(seconds=90)
    )
    assert read_recent(with_sent([first], [other])) == [other]


def test_nothing_within_the_longest_cap_gives_way() -> None:
    old = count_of(0)
    row, span = with_sent([], [old], span=86_400), 86_400
    for number in range(1, 4 * MOST):
        row = with_sent(read_recent(row), [count_of(number, number)], span)
    kept = read_recent(row)
    assert old in kept
    assert len(kept) == 4 * MOST
    assert not is_overfull(kept, span)
    assert len(read_recent(with_sent(kept, [count_of(1_000, 1_000)]))) == MOST, "without a cap"


def test_beyond_the_most_the_oldest_give_way_and_it_is_said() -> None:
    entries = [count_of(number, number) for number in range(MOST_COUNTED + 100)]
    kept = read_recent(with_sent([], entries, 86_400))
    assert is_overfull(kept, 86_400)
    assert len(kept) == MOST_COUNTED + MOST
    assert kept[-1] == entries[-1]


def test_what_a_cap_needs_takes_no_room_from_what_must_not_come_again() -> None:
    welcome = sent(an_id(9_999), "ev", NOW, lasts=True)
    kept = read_recent(with_sent([welcome], [count_of(number, number) for number in range(300)], 86_400))
    assert welcome in kept


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
