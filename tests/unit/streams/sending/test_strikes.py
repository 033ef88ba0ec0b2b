"""A message that alone is too much is told apart from one whose destination takes nothing."""

from __future__ import annotations

from streams.sending import strikes
from streams.sending.settle import MAX_STRIKES
from streams.sending.strikes import Strikes


def test_a_destination_that_takes_nothing_counts_against_no_message() -> None:
    counted = Strikes()
    assert {counted.add("dlv", 3) for _ in range(500)} == {0}


def test_a_message_is_counted_each_time_that_others_passed_and_then_anew() -> None:
    counted = Strikes()
    found = [counted.add("dlv", taken) for taken in range(MAX_STRIKES + 3)]
    assert found == [*range(MAX_STRIKES + 1), 0, 1]


def test_the_oldest_give_way() -> None:
    counted = Strikes()
    for number in range(strikes._MOST + 10):
        counted.add(f"dlv_{number}", 0)
    assert len(counted._strikes) == strikes._MOST
    assert (counted.add("dlv_0", 1), counted.add(f"dlv_{strikes._MOST}", 1)) == (0, 1)
