"""The moments of a manual send."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from schemas.send import When, moment_at

CONFIRMED = datetime(2026, 3, 13, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("when", "first", "last"),
    [
        (When(), None, None),
        (When(at=CONFIRMED), CONFIRMED, None),
        (
            When(local_time="2026-03-14T09:00:00"),
            datetime(2026, 3, 13, 19, 0, tzinfo=UTC),
            datetime(2026, 3, 14, 21, 0, tzinfo=UTC),
        ),
    ],
)
def test_a_local_time_comes_first_in_the_east_and_last_in_the_west(
    when: When, first: datetime | None, last: datetime | None
) -> None:
    assert (when.not_before, when.lasts_until) == (first, last)


@pytest.mark.parametrize(
    ("local_time", "expected"),
    [
        ("2026-03-14T09:00:00", datetime(2026, 3, 14, 8, 0, tzinfo=UTC)),
        ("2026-03-29T02:30:00", datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),  # left out in spring
        ("2026-10-25T02:30:00", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),  # there twice in autumn
    ],
)
def test_the_moment_of_a_wall_clock(local_time: str, expected: datetime) -> None:
    assert moment_at(local_time, ZoneInfo("Europe/Warsaw")) == expected
