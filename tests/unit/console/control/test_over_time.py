"""Parts of a range of time, and the chart that is made of their numbers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from console.control.over_time import Became, OverTime, Part, Range, Unit, beginnings
from console.web.chart import Bar, chart

DAY = timedelta(days=1)
LENGTHS: dict[Unit, timedelta] = {
    "minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": DAY, "week": timedelta(days=7),
}  # fmt: skip


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00")


def begins(unit: Unit, since: str, until: str, zone: str = "UTC") -> list[str]:
    found = beginnings(unit, LENGTHS[unit], Range(at(since), at(until)), ZoneInfo(zone))
    return [one.astimezone(UTC).strftime("%d %H:%M") for one in found]


@pytest.mark.parametrize(
    ("unit", "since", "until", "zone", "expected"),
    [
        ("minute", "2026-05-01T09:58", "2026-05-01T10:01", "UTC", ["01 09:58", "01 09:59", "01 10:00"]),
        ("hour", "2026-05-01T09:58", "2026-05-01T11:00", "UTC", ["01 09:00", "01 10:00"]),
        ("hour", "2026-05-01T09:58", "2026-05-01T11:00", "Asia/Kathmandu", ["01 09:15", "01 10:15"]),
        ("day", "2026-05-01T09:58", "2026-05-03T00:00", "UTC", ["01 00:00", "02 00:00"]),
        ("day", "2026-05-01T22:30", "2026-05-03T00:00", "Europe/Berlin", ["01 22:00", "02 22:00"]),
        ("week", "2026-05-01T09:58", "2026-05-16T00:00", "UTC", ["01 00:00", "08 00:00", "15 00:00"]),
    ],
    ids=["minutes", "hours", "hours-of-a-quarter", "days", "days-of-a-zone", "weeks"],
)  # fmt: skip
def test_a_range_is_divided_where_the_zones_clock_says(
    unit: Unit, since: str, until: str, zone: str, expected: list[str]
) -> None:
    assert begins(unit, since, until, zone) == expected


def test_days_have_23_or_25_hours_where_clocks_are_put_forward_or_back() -> None:
    """Reported elsewhere: a bar is missing, or stands twice, on the day that clocks change."""
    assert begins("day", "2026-03-28T12:00", "2026-03-30T12:00", "Europe/Berlin") == [
        "27 23:00",
        "28 23:00",
        "29 22:00",
    ]
    assert begins("day", "2026-10-24T12:00", "2026-10-26T12:00", "Europe/Berlin") == [
        "23 22:00",
        "24 22:00",
        "25 23:00",
    ]
    hours = begins("hour", "2026-10-24T22:00", "2026-10-25T23:00", "Europe/Berlin")
    assert len(hours) == len(set(hours)) == 25
    at_midnight = begins("day", "2026-04-23T12:00", "2026-04-25T12:00", "Africa/Cairo")
    assert at_midnight == ["22 22:00", "23 22:00", "24 21:00"]


def test_bars_stand_upon_each_other_and_the_highest_part_is_full() -> None:
    start = at("2026-05-01T00:00")
    records: list[dict[Became, int]] = [{"sent": 3, "failed": 1}, {}, {"skipped": 2}]
    parts = [Part(start + n * DAY, start + (n + 1) * DAY, one) for n, one in enumerate(records)]
    made = chart(OverTime("day", parts), lambda part: part.since.isoformat())
    assert (made.places, made.most, [one.place for one in made.parts]) == (3, 4, [0, 2])
    assert made.parts[0].bars == [Bar("sent", 25.0, 75.0), Bar("failed", 0.0, 25.0)]
    assert made.parts[1].bars == [Bar("skipped", 50.0, 50.0)]
    assert (made.marks[0], made.marks[-1]) == (start, start + 3 * DAY)


def test_a_range_without_messages_has_a_chart_without_parts() -> None:
    start = at("2026-05-01T00:00")
    made = chart(OverTime("day", [Part(start, start + DAY, {})]), lambda _: "")
    assert (made.parts, made.most, made.marks) == ([], 0, [start, start + DAY])
