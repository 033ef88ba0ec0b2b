from __future__ import annotations

import random
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.limit import Limit, Rate
from streams.sending.exchange import Report, Shared, exchanged
from streams.sending.grants import LASTS, LATE, PACE, Grant, Schedule, Wish, fair_shares, granted

DAY = 1_800_000_000.0
"""A moment of the database's clock."""


@pytest.mark.parametrize(
    ("total", "wants", "shares"),
    [
        (10, [], []),
        (10, [100], [10]),
        (10, [3], [3]),
        (10, [100, 100], [5, 5]),
        (10, [100, 100, 100], [4, 3, 3]),
        (10, [1, 100, 100], [1, 5, 4]),
        (10, [1, 2, 100], [1, 2, 7]),
        (2, [9, 9, 9], [1, 1, 0]),
        (0, [9, 9], [0, 0]),
        (10, [0, 9], [0, 9]),
    ],
)
def test_what_is_shared_is_shared_fairly(total: int, wants: list[int], shares: list[int]) -> None:
    assert fair_shares(total, wants) == shares


def ask(
    schedule: Schedule, owner: str, now: float, *, rate: float | None = 10.0, wanted: int = 1000
) -> tuple[Schedule, Grant]:
    return granted(schedule, Wish(owner, wanted, rate=rate), now)


def test_one_sender_gets_every_turn() -> None:
    schedule, grant = ask(Schedule(), "a", DAY)
    assert len(grant.turns) == 20  # of two seconds, a little below the limit
    gaps = {round(later - earlier, 4) for earlier, later in pairwise(grant.turns)}
    assert gaps == {round(1 / 9.7, 4)}
    schedule, again = ask(schedule, "a", DAY + 1)
    assert min(again.turns) > max(grant.turns)
    assert len(again.turns) in (9, 10)


def rounds(wants: dict[str, int], seconds: int, *, rate: float = 10.0) -> Counter[str]:
    """The turns of senders that ask in turn, after those of the first seconds."""
    schedule, turns = Schedule(), Counter[str]()
    for second in range(seconds):
        for place, (owner, wanted) in enumerate(wants.items()):
            schedule, grant = ask(schedule, owner, DAY + second + place / 10, rate=rate, wanted=wanted)
            turns[owner] += sum(DAY + 4 <= turn < DAY + seconds for turn in grant.turns)
    return turns


def test_two_senders_share_and_none_is_lost() -> None:
    turns = rounds({"a": 1000, "b": 1000}, 24)
    assert abs(turns["a"] - turns["b"]) <= 2
    assert turns.total() >= 20 * 9.7 - 1


def test_what_one_sender_does_not_need_goes_to_the_other() -> None:
    turns = rounds({"a": 1000, "b": 2, "c": 1000}, 24)
    assert 20 <= turns["b"] <= 45
    assert abs(turns["a"] - turns["c"]) <= 20
    assert turns.total() >= 20 * 9.7 - 2


def test_a_limit_of_one_message_in_seconds_goes_round() -> None:
    turns = rounds({"a": 9, "b": 9, "c": 9}, 160, rate=0.2)
    assert turns.total() >= 29
    assert min(turns[name] for name in "abc") >= 8


def test_a_new_limit_counts_once_what_is_handed_out_is_over() -> None:
    schedule, _ = ask(Schedule(), "a", DAY, rate=100.0)
    schedule, after = ask(schedule, "a", DAY + 1, rate=1.0)
    assert max(after.turns) < DAY + 1.1 + LASTS
    schedule, later = ask(schedule, "a", DAY + 4, rate=1.0)
    assert len(later.turns) <= 2


def test_the_least_limit_counts_where_senders_know_different_ones() -> None:
    schedule, _ = ask(Schedule(), "a", DAY, rate=100.0)
    schedule, _ = ask(schedule, "b", DAY + 0.5, rate=10.0)
    for second in range(1, 9):
        schedule, _ = ask(schedule, "a", DAY + second, rate=100.0)
        schedule, _ = ask(schedule, "b", DAY + second + 0.5, rate=10.0)
    assert [round(one.length, 3) for one in schedule.segments] == [round(1 / 9.7, 3)]


def test_a_clock_that_was_set_back_ends_no_grants() -> None:
    schedule, _ = ask(Schedule(), "a", DAY)
    _, grant = ask(schedule, "a", DAY - 600)
    assert len(grant.turns) == 20


def test_connections_are_lent_once() -> None:
    schedule, first = granted(Schedule(), Wish("a", 50, in_flight=4, concurrency=4), DAY)
    schedule, second = granted(schedule, Wish("b", 50, concurrency=4), DAY + 0.5)
    assert (first.at_once, second.at_once) == (4, 0)
    schedule, first = granted(schedule, Wish("a", 50, in_flight=3, concurrency=4), DAY + 1)
    schedule, second = granted(schedule, Wish("b", 50, concurrency=4), DAY + 1.5)
    assert (first.at_once, second.at_once) == (2, 1)  # three are under way still
    schedule, first = granted(schedule, Wish("a", 50, in_flight=2, concurrency=4), DAY + 2)
    schedule, second = granted(schedule, Wish("b", 50, concurrency=4), DAY + 2.5)
    assert (first.at_once, second.at_once) == (2, 2)


@given(
    seed=st.integers(0, 10**9),
    count=st.integers(1, 300),
    seconds=st.sampled_from([1.0, 3.0, 60.0]),
    senders=st.integers(1, 5),
)
def test_the_sum_is_never_over_the_limit(seed: int, count: int, seconds: float, senders: int) -> None:
    """Whoever starts, dies, pauses or asks late: in no window of the limit's length leave more messages than it has."""
    rng, shared, now, left = random.Random(seed), Shared(), DAY, list[float]()
    limit = Limit(Rate(count, seconds), rng.randrange(1, 9))
    at_once = dict[str, tuple[int, float]]()
    for _ in range(60):
        now += rng.choice([0.001, 0.1, 0.3, 1.0, 1.0 / senders, 5.0])
        owner = f"s{rng.randrange(senders)}"
        most, asked_at = at_once.get(owner, (0, 0.0))
        under_way = min(most, rng.randrange(9)) if now - asked_at < LASTS else 0
        report = Report(owner, rng.choice([0, 1, 5, 1000]), under_way, limit)
        shared, answer = exchanged(shared, report, now)
        assert answer.grant.at_once is not None
        at_once[owner] = max(answer.grant.at_once, under_way), now
        assert sum(most for most, at in at_once.values() if now - at < LASTS) <= limit.concurrency  # type: ignore[operator]
        if rng.random() > 0.2:  # else it has died
            left += [turn + rng.random() * LATE * seconds for turn in answer.grant.turns]
    left.sort()
    assert all(left[place + count] - left[place] >= seconds for place in range(len(left) - count))


def test_the_pace_leaves_room_for_what_is_late() -> None:
    assert PACE * (1 + LATE) <= 1


@pytest.mark.parametrize(("count", "seconds"), [(17, 30.0), (1, 60.0), (6000, 60.0)])
def test_nothing_is_saved_up_while_nobody_sends(count: int, seconds: float) -> None:
    """A sender that comes after an hour at rest gets no more in a window than one that sent all the time."""
    schedule, _ = ask(Schedule(), "a", DAY, rate=count / seconds)
    left = list[float]()
    for second in range(int(seconds) + 1):
        schedule, grant = ask(schedule, "a", DAY + 3600 + second, rate=count / seconds)
        left += [turn for turn in grant.turns if turn < DAY + 3600 + seconds]
    assert count * 0.9 - 1 <= len(left) <= count


def test_a_limit_that_is_raised_counts_before_the_old_window_is_over() -> None:
    schedule, _ = ask(Schedule(), "a", DAY, rate=1 / 60)
    schedule, _ = ask(schedule, "a", DAY + 1, rate=1.0)
    _, grant = ask(schedule, "a", DAY + 4, rate=1.0)
    assert grant.turns
