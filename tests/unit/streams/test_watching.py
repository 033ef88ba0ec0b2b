"""Silence and surprise of one distribution, by what it decided in hours that are past."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from schemas.watching import DistributionHours, WatchBounds
from streams.notices import distribution_silent, skips_jumped
from streams.watching import HOUR, Silence, jumps, silence

BOUNDS = WatchBounds(2.0, timedelta(hours=6), 3.0, 50)
FIRST = datetime(2026, 11, 2, tzinfo=UTC)  # a Monday
ALL_DAY = tuple(range(24))
OFFICE = tuple(range(8, 18))


def hours(days: int, of_day: tuple[int, ...] = ALL_DAY, *, weekdays: bool = False) -> tuple[datetime, ...]:
    every = (FIRST + timedelta(days=day, hours=hour) for day in range(days) for hour in of_day)
    return tuple(one for one in every if not weekdays or one.weekday() < 5)


def found(
    active: tuple[datetime, ...], recent: Mapping[str, int] | None = None, before: Mapping[str, int] | None = None,
    since: datetime = FIRST,
) -> DistributionHours:  # fmt: skip
    return DistributionHours("shop", "thanks", since, active, recent or {}, before or {})


@pytest.mark.parametrize(
    ("active", "quiet", "is_silent"),
    [
        (hours(7), 5.9, False),  # not as long as the least
        (hours(7), 6.1, True),
        (hours(7, OFFICE), 28, False),  # a night is 15 hours
        (hours(7, OFFICE), 30.5, True),
        (hours(12, OFFICE, weekdays=True), 63, False),  # a weekend is three nights and two days
        (hours(14, (9,)), 47, False),
        (hours(14, (9,)), 48.5, True),
        (hours(2), 300, False),  # no history
        (hours(12, (9,)), 300, False),  # eleven gaps
        (hours(13, (9,)), 300, True),
        ((), 300, False),
    ],
    ids=[
        "just-quiet", "silent", "a-night", "longer-than-nights", "a-weekend", "daily", "a-day-missed", "two-days-known",
        "few-gaps", "enough-gaps", "never",
    ],
)  # fmt: skip
def test_silence_is_longer_than_its_usual(active: tuple[datetime, ...], quiet: float, is_silent: bool) -> None:
    last = (active[-1] if active else FIRST) + HOUR
    answer = silence(found(active), last + timedelta(hours=quiet), BOUNDS)
    assert (answer is not None) == is_silent
    if answer:
        assert answer.last == last


def test_a_new_version_begins_anew() -> None:
    active = hours(7)
    now = active[-1] + timedelta(days=3)
    assert silence(found(active), now, BOUNDS)
    assert silence(found(active, since=now - timedelta(hours=5)), now, BOUNDS) is None


@pytest.mark.parametrize(
    ("recent", "before", "told"),
    [
        ({"": 100}, {"": 1000}, []),
        ({"": 40, "no_address": 60}, {"": 950, "no_address": 50}, [("no_address", 60, 100)]),
        ({"": 20, "no_address": 49}, {"": 950, "no_address": 50}, []),  # too few
        ({"": 80, "consent": 60}, {"": 500, "consent": 500}, []),  # as ever
        ({"": 30, "consent": 170}, {"": 500, "consent": 500}, [("consent", 170, 200)]),
        ({"": 3, "consent": 97}, {"": 100, "consent": 900}, [("consent", 97, 100)]),
        ({"": 400, "capped": 60}, {"": 1000}, []),  # an eighth is no fifth
        ({"rule_error": 60}, {"": 1000}, [("rule_error", 60, 60)]),
        ({"consent": 60, "no_address": 60}, {"": 1000}, [("consent", 60, 120), ("no_address", 60, 120)]),
        ({"rule_error": 60}, {"": 199}, []),  # nothing is usual yet
        ({}, {"": 1000}, []),
    ],
    ids=[
        "none",
        "new",
        "few",
        "as-ever",
        "half-and-more",
        "nearly-all",
        "small",
        "all-fail",
        "two",
        "no-history",
        "quiet",
    ],
)
def test_a_jump_is_a_share_far_above_the_usual(
    recent: dict[str, int], before: dict[str, int], told: list[tuple[str, int, int]]
) -> None:
    one = found(hours(7), recent, before)
    answer = list(jumps(one, FIRST + timedelta(days=7), BOUNDS))
    assert [(jump.reason, jump.skipped, jump.of) for jump in answer] == told
    assert list(jumps(one, FIRST + timedelta(days=2), BOUNDS)) == [], "three days have to be known"


def test_notices_say_what_and_what_to_look_at() -> None:
    quiet = distribution_silent(found(hours(7)), Silence(FIRST, timedelta(hours=15)))
    assert (quiet.kind, quiet.about) == ("distribution_silent", "thanks")
    assert "since 2026-11-02 00:00 UTC; its gaps are of 15 h at most" in quiet.summary
    assert "tidings distributions show thanks" in quiet.look_at
    one = found(hours(7), {"": 40, "no_address": 60}, {"": 950, "no_address": 50})
    (jump,) = jumps(one, FIRST + timedelta(days=7), BOUNDS)
    told = skips_jumped(one, jump)
    assert (told.kind, told.about) == ("skips_jumped", "thanks: no_address")
    assert "60 of 100 cases within the last two hours: 60%, usually 5%" in told.summary
    assert "tidings why" in told.look_at
