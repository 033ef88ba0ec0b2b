"""The time of the next attempt."""

from __future__ import annotations

from datetime import timedelta

import pytest

from schemas.formats.durations import format_duration, parse_duration
from streams.sending.retry import JITTER, asked_wait, next_attempt

SCHEDULE = [timedelta(minutes=1), timedelta(minutes=2)]


def test_the_schedule_is_followed_and_then_given_up() -> None:
    waits = [next_attempt(SCHEDULE, attempts, random=0.5) for attempts in (1, 2, 3)]
    assert waits == [*SCHEDULE, None]


def test_jitter_stays_within_its_share() -> None:
    for random in (0.0, 0.999):
        wait = next_attempt(SCHEDULE, 1, random=random)
        assert wait and abs(wait / SCHEDULE[0] - 1) <= JITTER


def test_a_provider_can_lengthen_a_wait_and_never_shorten_it() -> None:
    assert next_attempt(SCHEDULE, 1, random=0.5, retry_after=300) == timedelta(minutes=5)
    assert next_attempt(SCHEDULE, 1, random=0.5, retry_after=1) == timedelta(minutes=1)


@pytest.mark.parametrize("text", ["3", "d", "3 d", "-1d", "1y", 3, None])
def test_what_is_no_duration_says_what_is(text: object) -> None:
    with pytest.raises(ValueError, match="as in 30m or 3d"):
        parse_duration(text)


def test_durations_are_written_as_they_are_read() -> None:
    for text in ("45s", "30m", "12h", "3d"):
        assert format_duration(int(parse_duration(text).total_seconds())) == text


@pytest.mark.parametrize(
    ("schedule", "longest"),
    [
        (SCHEDULE, timedelta(hours=1)),
        ([timedelta(hours=8)], timedelta(hours=8)),
        ([timedelta(days=9)], timedelta(days=1)),
    ],
)
@pytest.mark.parametrize("seconds", [366 * 86_400.0, 1e18, float("inf")])
def test_what_a_provider_asks_for_is_capped(schedule: list[timedelta], longest: timedelta, seconds: float) -> None:
    assert asked_wait(schedule, seconds) == longest
    assert next_attempt(SCHEDULE, 1, random=0.5, retry_after=seconds) == timedelta(hours=1)
    assert asked_wait(schedule, -5.0) == asked_wait(schedule, None) == timedelta()
