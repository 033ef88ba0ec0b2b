"""Times of records that are written again."""

from __future__ import annotations

import time

import pytest

from agents.broker.kept_time import kept_time
from schemas.topics import CUSTOMERS, DEAD_LETTERS, TOPICS

HOUR, DAY = 3_600_000, 86_400_000


@pytest.mark.parametrize(
    ("topic", "age", "stays"),
    [
        ("events.orders", HOUR, True),
        ("events.orders", 3 * DAY, True),
        ("events.orders", 4 * DAY, False),
        ("events.orders", -HOUR, False),
        (DEAD_LETTERS, 4 * DAY, True),
        (CUSTOMERS, 4000 * DAY, True),
        (CUSTOMERS, -HOUR, False),
    ],
)
def test_a_record_keeps_a_time_with_which_its_topic_keeps_it(topic: str, age: int, *, stays: bool) -> None:
    timestamp = int(time.time() * 1000) - age
    assert kept_time(TOPICS[topic], timestamp) == (timestamp if stays else 0)


@pytest.mark.parametrize("topic", ["events.orders", CUSTOMERS])
def test_a_time_that_is_not_known_is_the_present_one(topic: str) -> None:
    assert kept_time(TOPICS[topic], -1) == 0
