"""The part of one process of what all have under way."""

from __future__ import annotations

import pytest

from agents.roles.sender.share import Share
from streams.sending.grants import part_of


class Ticks:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("total", "live", "parts"),
    [(50, 1, [50]), (50, 3, [17, 17, 16]), (8, 2, [4, 4]), (7, 7, [1] * 7), (2, 3, [1, 1, 1]), (1, 1, [1])],
)
def test_all_parts_together_are_the_number_and_none_has_nothing(total: int, live: int, parts: list[int]) -> None:
    assert [part_of(total, live, before) for before in range(live)] == parts


def test_one_that_is_alone_has_all_and_leaves_others_their_part_at_once() -> None:
    ticks = Ticks()
    share = Share(50, ticks=ticks)
    assert share.at(ticks.now) == 50  # before anything is known
    share.heard(1, 0, ticks.now)
    assert share.at(ticks.now) == 50
    share.heard(3, 2, ticks.now)
    assert share.at(ticks.now) == 16
    share.heard(2, 1, ticks.now)
    assert share.at(ticks.now) == 25


def test_one_that_comes_has_nothing_until_the_others_know_of_it() -> None:
    ticks, parts = Ticks(), []
    share = Share(50, ticks=ticks)
    for _ in range(4):
        share.heard(2, 1, ticks.now)
        parts.append(share.at(ticks.now))
        ticks.now += 1.0
    assert parts == [0, 0, 25, 25]


def test_one_that_the_others_count_no_more_goes_on_with_a_tenth() -> None:
    ticks = Ticks()
    share = Share(50, ticks=ticks)
    share.heard(2, 0, ticks.now)
    ticks.now += 3.0
    share.heard(2, 0, ticks.now)
    assert [share.at(ticks.now + late) for late in (5.0, 5.1)] == [25, 2]
    share.heard(2, 0, ticks.now + 6.0)
    assert share.at(ticks.now + 6.0) == 25
