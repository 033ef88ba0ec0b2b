"""The lag of recorders, counted and in words."""

from __future__ import annotations

from datetime import timedelta

import pytest

from agents.broker.extents import Extent
from console.control.recorded_lag import Behind, missing
from store.read_models.positions import Position
from tests.factory import NOW


def at(next_offset: int, partition: int = 0) -> Position:
    return Position("decisions", partition, next_offset, 1_000, 0)


@pytest.mark.parametrize(
    ("known", "extent", "left"),
    [
        ([at(10)], (0, 10), 0),
        ([at(10)], (0, 14), 4),
        ([], (0, 14), 14),
        ([at(10, partition=1)], (0, 14), 14),
        ([at(10)], (12, 14), 2),
        ([at(14)], (14, 14), 0),
        ([at(10)], (0, 3), 3),
        ([], (7, 7), 0),
    ],
    ids=[
        "all in", "some missing", "not begun", "another partition", "what retention took is no work",
        "retention took all", "a topic made anew", "an empty topic",
    ],
)  # fmt: skip
def test_what_is_missing_is_counted_by_what_can_still_be_read(
    known: list[Position], extent: tuple[int, int], left: int
) -> None:
    assert missing(known, [Extent("decisions", 0, *extent)]) == ({("decisions", 0): left} if left else {})


@pytest.mark.parametrize(
    ("records", "age", "words"),
    [
        (1, timedelta(), "1 record of decisions and deliveries not recorded yet, the oldest for 0s"),
        (12, timedelta(seconds=59.9), "12 records of decisions and deliveries not recorded yet, the oldest for 59s"),
        (12, timedelta(minutes=61), "12 records of decisions and deliveries not recorded yet, the oldest for 1h"),
        (12, timedelta(days=9, hours=5), "12 records of decisions and deliveries not recorded yet, the oldest for 9d"),
        (3, -timedelta(seconds=2), "3 records of decisions and deliveries not recorded yet, the oldest for 0s"),
    ],
    ids=["one", "seconds", "hours", "days", "a clock that is behind"],
)
def test_a_sentence_says_how_many_and_how_old(records: int, age: timedelta, words: str) -> None:
    assert Behind(records, NOW - age).in_words(NOW) == words


def test_nothing_is_said_where_all_is_in() -> None:
    assert Behind(0).in_words(NOW) is None
