"""Shares of the steps of a funnel: none of nothing, and none above all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from console.control.funnel import Step
from console.control.over_time import Range

NOW = datetime(2026, 11, 29, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("base", "records", "share"),
    [(10, 5, 0.5), (10, 0, 0.0), (10, 10, 1.0), (0, 0, None), (0, 3, None), (10, 11, None)],
)
def test_a_share_is_of_its_base(base: int, records: int, share: float | None) -> None:
    steps = [Step("sent", base, 0, "decided"), Step("opened", records, 0, "sent")]
    assert steps[1].share(steps) == share


def test_the_first_step_is_a_share_of_nothing() -> None:
    first = Step("matched", 3, 0, None)
    assert first.share([first]) is None


def test_the_range_before_is_as_long_and_ends_where_this_one_begins() -> None:
    asked = Range(NOW - timedelta(days=7), NOW)
    assert asked.before == Range(NOW - timedelta(days=14), NOW - timedelta(days=7))
