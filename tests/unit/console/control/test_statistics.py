"""Questions for statistics: how they are read, and how those that cannot be are refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from console.control.context import ProjectContext
from console.control.statistics import Question, read_question
from schemas.errors import TidingsError

NOW = datetime(2026, 11, 20, 12, 30, 20, tzinfo=UTC)
WARSAW = ProjectContext("shop", ZoneInfo("Europe/Warsaw"))


def read(**given: Any) -> Question:
    return read_question(WARSAW, given, NOW)


def test_without_more_it_is_the_last_day_by_distribution() -> None:
    found = read()
    assert (found.chosen.project_id, found.by, found.bucket, found.zone) == (
        "shop", frozenset({"distribution"}), None, "Europe/Warsaw",
    )  # fmt: skip
    assert found.chosen.since == datetime(2026, 11, 19, 12, 30, tzinfo=UTC)
    assert found.chosen.until == datetime(2026, 11, 20, 12, 31, tzinfo=UTC), "this minute is part of it"


@pytest.mark.parametrize("named", [{"distribution": "thanks"}, {"send": "snd_1"}], ids=["distribution", "send"])
def test_of_one_that_is_named_it_is_by_outcome_alone(named: dict[str, str]) -> None:
    found = read(**named)
    assert (found.chosen.distribution, found.chosen.send, found.by) == (
        named.get("distribution"),
        named.get("send"),
        frozenset(),
    )


def test_what_is_asked_for_is_kept_apart() -> None:
    found = read(by=["hour", "reason", "outcome", "channel"])
    assert (found.by, found.bucket) == (frozenset({"reason", "channel"}), "hour")


@pytest.mark.parametrize(
    ("since", "begins"),
    [
        ("90m", "2026-11-20T11:00+00:00"),
        ("2d", "2026-11-18T12:30+00:00"),
        ("2026-11-01", "2026-10-31T23:00+00:00"),
        ("2026-11-01T08:00", "2026-11-01T07:00+00:00"),
        ("2026-11-01T08:00:59Z", "2026-11-01T08:00+00:00"),
    ],
)
def test_days_and_times_are_those_of_the_project(since: str, begins: str) -> None:
    assert read(since=since).chosen.since == datetime.fromisoformat(begins)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"by": ["chanel"]}, r'by: "chanel" is not valid: must be one of outcome, .*Did you mean "channel"\?'),
        ({"by": ["hour", "day"]}, "by: hour and day exclude each other"),
        ({"by": ["minute"], "since": "3d"}, "by: minute is for 50h at most"),
        ({"since": "yesterday"}, 'since: "yesterday" is not valid: must be a time'),
        ({"until": "soon"}, 'until: "soon" is not valid: must be a time'),
        ({"since": "1h", "until": "2h"}, "until: .* is not after since"),
        ({"since": "999999w"}, 'since: "999999w" is not valid'),
    ],
    ids=[
        "by", "two buckets", "too many buckets", "since", "until", "the wrong way round", "out of the calendar",
    ],
)  # fmt: skip
def test_a_question_that_cannot_be_answered_is_refused_by_name(given: dict[str, Any], says: str) -> None:
    with pytest.raises(TidingsError, match=says):
        read(**given)


def test_a_range_that_has_no_end_in_the_calendar_is_cut_there() -> None:
    assert read(until="9999-12-31T23:59:59").chosen.until == datetime(9999, 12, 30, tzinfo=UTC)


def test_many_days_are_answered_by_day() -> None:
    assert read(by=["day"], since=(NOW - timedelta(days=90)).isoformat()).bucket == "day"
