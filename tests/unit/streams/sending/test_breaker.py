"""The breaker of a destination: when it opens, who may ask, and what closes it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.receipt import (
    Accepted,
    Blocked,
    Bounced,
    Deferred,
    Gone,
    Postponed,
    Receipt,
    Refused,
    Throttled,
    Unanswered,
)
from streams.sending.breaker import (
    FIRST_WAIT,
    FORGOTTEN_AFTER,
    HEARD_FROM_ALL,
    LEAST,
    LONGEST_WAIT,
    WELL_AFTER,
    WINDOW,
    Answer,
    Breaker,
    answer_of,
)

LEASE = 20.0
DAY = 86_400.0


def opened(at: float = 0.0) -> Breaker:
    return Breaker.new(at).noted(0, 1, at).noted(0, LEAST, at + HEARD_FROM_ALL)


@pytest.mark.parametrize(
    ("receipt", "answer"),
    [
        (Accepted("250"), "took"),
        (Refused("550"), "took"),
        (Gone("410"), "took"),
        (Throttled("429"), "spoke"),
        (Blocked("535"), "spoke"),
        (Postponed("451 greylisted"), "spoke"),
        (Bounced("452 full"), "spoke"),
        (Deferred("503"), "failed"),
        (Unanswered("no answer"), "failed"),
    ],
)
def test_an_answer_says_how_its_destination_is(receipt: Receipt, answer: Answer) -> None:
    assert answer_of(receipt) == answer


@pytest.mark.parametrize(
    ("notes", "is_open"),
    [
        ([(0, 1, 0.0), (0, LEAST - 1, 3.0)], True),
        ([(0, 1, 0.0), (0, LEAST - 2, 3.0)], False),  # too few to say anything
        ([(0, LEAST, 0.0)], False),  # the others may hear something else
        ([(0, LEAST, 0.0), (0, 0, 3.0)], True),  # they did not
        ([(0, LEAST, 0.0), (100, 0, 1.0), (0, 1, 3.0)], False),  # as they do here
        ([(10, 10, 0.0), (0, 1, 3.0)], True),  # a half is too many
        ([(10, 4, 0.0), (0, 1, 3.0)], False),
        ([(0, 4, 0.0), (0, 4, 30.0)], True),  # four connections that time out, twice
        ([(0, 4, 0.0), (0, 4, WINDOW + 1)], False),  # too long ago
        ([(1000, 0, 0.0), (0, 10, 20.0), (0, 10, 61.0), (0, 1, 92.0)], True),  # was well once
    ],
)
def test_it_opens_by_the_share_of_enough_answers(notes: list[tuple[int, int, float]], is_open: bool) -> None:
    breaker = Breaker.new(0.0)
    for took, failed, at in notes:
        breaker = breaker.noted(took, failed, at)

    assert breaker.is_open is is_open


def test_a_probe_is_for_one_and_only_once_the_wait_is_over() -> None:
    breaker = opened()
    due = breaker.next_at

    assert due == HEARD_FROM_ALL + FIRST_WAIT
    assert not breaker.asked("a", due - 0.1, LEASE).holds("a", due - 0.1)
    asked = breaker.asked("a", due, LEASE)
    assert asked.holds("a", due)
    assert not asked.asked("b", due + 1, LEASE).holds("b", due + 1)
    assert asked.asked("a", due + 1, LEASE).until == due + 1 + LEASE  # nothing was there to send yet
    assert asked.asked("a", due + 1, LEASE).probe == asked.probe


@pytest.mark.parametrize("answer", ["took", "spoke"])
def test_whatever_it_answers_to_a_probe_closes_it(answer: Answer) -> None:
    asked = opened().asked("a", 10.0, LEASE)

    closed = asked.answered(asked.probe, answer, 11.0)

    assert not closed.is_open
    assert closed.noted(0, LEAST - 1, 12.0).is_open is False  # what was counted before is over


def test_a_probe_that_fails_opens_it_for_longer_up_to_a_bound() -> None:
    breaker, now, waits = opened(), 10.0, []
    for _ in range(9):
        asked = breaker.asked("a", now, LEASE)
        breaker = asked.answered(asked.probe, "failed", now + 1)
        waits.append(breaker.next_at - now - 1)
        now = breaker.next_at

    assert waits[:3] == [10.0, 20.0, 40.0]
    assert waits[-1] == LONGEST_WAIT
    assert breaker.opened_at == HEARD_FROM_ALL


def test_a_probe_whose_process_died_ends_by_time_and_its_late_answer_counts_no_more() -> None:
    lost = opened().asked("a", 10.0, LEASE)
    assert not lost.may_ask(10.0 + LEASE - 0.1)

    next_one = lost.asked("b", 10.0 + LEASE, LEASE)

    assert next_one.holds("b", 10.0 + LEASE)
    assert next_one.answered(lost.probe, "took", 31.0) == next_one
    assert next_one.answered(lost.probe, "failed", 31.0) == next_one


def test_answers_of_what_was_under_way_when_it_opened_neither_close_nor_end_the_probe() -> None:
    asked = opened().asked("a", 10.0, LEASE)

    noted = asked.noted(3, 5, 11.0)

    assert noted.holds("a", 11.0)
    assert noted.next_at == asked.next_at


def test_one_that_opens_again_soon_waits_on_from_where_it_was() -> None:
    asked = opened().asked("a", 10.0, LEASE)
    closed = asked.answered(asked.probe, "took", 10.0)

    soon = closed.noted(0, 1, 11.0).noted(0, LEAST, 14.0)
    later = closed.noted(0, 1, 10.0 + WELL_AFTER).noted(0, LEAST, 15.0 + WELL_AFTER)

    assert soon.is_open and soon.next_at - 14.0 == 2 * FIRST_WAIT
    assert later.is_open and later.next_at - 15.0 - WELL_AFTER == FIRST_WAIT


def test_it_is_well_again_after_a_while_and_is_then_forgotten() -> None:
    asked = opened().asked("a", 10.0, LEASE)
    closed = asked.answered(asked.probe, "took", 10.0)

    assert not closed.is_well(WELL_AFTER)
    assert closed.is_well(10.0 + WELL_AFTER) and closed.is_over(10.0 + WELL_AFTER)
    assert Breaker.new(0.0).noted(0, 1, 0.0).is_over(WINDOW)
    assert not opened().is_over(DAY) and opened().is_over(FORGOTTEN_AFTER + HEARD_FROM_ALL)


def test_a_destination_is_gone_once_it_took_nothing_for_as_long_as_a_delivery_is_tried() -> None:
    breaker = opened()
    asked = breaker.asked("a", 10.0, LEASE)
    again = asked.answered(asked.probe, "took", DAY).noted(0, 1, DAY + 1).noted(0, LEAST, DAY + 5)

    assert not breaker.is_gone(DAY, DAY)
    assert breaker.is_gone(DAY + HEARD_FROM_ALL, DAY)
    assert again.is_open and not again.is_gone(DAY + 10, DAY)
    assert not Breaker.new(0.0).is_gone(2 * DAY, DAY)


def test_a_hurry_makes_the_probe_due() -> None:
    assert opened().hurried(3.0).may_ask(3.0)


def test_it_is_kept_as_json() -> None:
    breaker = opened().asked("a", 10.0, LEASE)

    assert Breaker.read(breaker.written, 0.0) == breaker
    assert Breaker.read("{}", 7.0) == Breaker.read('{"since": "long ago"}', 7.0) == Breaker.new(7.0)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.floats(0.01, 120.0)),
        st.tuples(st.just("note"), st.tuples(st.integers(0, 20), st.integers(0, 20))),
        st.tuples(st.just("ask"), st.sampled_from("abc")),
        st.tuples(st.just("answer"), st.tuples(st.sampled_from("abc"), st.sampled_from(["took", "spoke", "failed"]))),
        st.tuples(st.just("die"), st.sampled_from("abc")),
        st.tuples(st.just("hurry"), st.none()),
    ),
    max_size=60,
)


@given(STEPS)
def test_never_more_than_one_probe_and_never_open_for_ever(steps: list[tuple[str, object]]) -> None:
    breaker, now, held = opened(), 10.0, dict[str, tuple[int, float]]()
    for kind, value in steps:
        match kind, value:
            case "wait", float(seconds):
                now += seconds
            case "note", (int(took), int(failed)):
                breaker = breaker.noted(took, failed, now)
            case "ask", str(owner):
                breaker = breaker.asked(owner, now, LEASE)
                if breaker.holds(owner, now):
                    held[owner] = breaker.probe, breaker.until
            case "answer", (str(owner), answer):
                if owner in held:
                    probe, _ = held.pop(owner)
                    breaker = breaker.answered(probe, answer, now)  # type: ignore[arg-type]
            case "die", str(owner):
                held.pop(owner, None)
            case _:
                breaker = breaker.hurried(now)
        assert sum(until > now for _, until in held.values()) <= 1

    later = max(now, breaker.next_at, breaker.until)
    assert not breaker.is_open or breaker.asked("d", later, LEASE).holds("d", later)
