"""Counts of caps, their times, and the moment at which there is room again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zlib import crc32
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.distribution import Cap
from streams.caps import applies, count, in_words, span
from streams.index.rules import RuleIndex
from streams.recent import Sent, counted
from tests.factory import NOW, rule

WARSAW = ZoneInfo("Europe/Warsaw")
FRIDAY = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
"""13:00 in Warsaw; the Monday of its week is the 16th."""


def cap(**changes: Any) -> Cap:
    made: dict[str, Any] = {"at_most": 2, "within": "week", "scope": "project"} | changes
    return Cap(**made)


def entries(*times: str, channel: Any = "email", category: str = "marketing") -> list[Sent]:
    """Deliveries that counted at these moments."""
    return [
        counted(
            f"dlv_{crc32(f'{at} {channel} {category}'.encode()):032x}",
            "ev",
            datetime.fromisoformat(at),
            lasts=False,
            channel=channel,
            category=category,
            now=datetime.fromisoformat(at),
        )
        for at in times
    ]


@pytest.mark.parametrize(
    ("of", "times", "counts", "free_at"),
    [
        (cap(), [], 0, None),
        (cap(), ["2026-11-16T00:00+01:00"], 1, None),
        (cap(), ["2026-11-15T23:59+01:00", "2026-11-19T09:00+01:00"], 1, None),
        (cap(), ["2026-11-16T00:00+01:00", "2026-11-20T12:59+01:00"], 2, "2026-11-23T00:00+01:00"),
        (cap(at_most=3), ["2026-11-16T00:00+01:00", "2026-11-20T12:59+01:00"], 2, None),
        (cap(at_most=1, within="day"), ["2026-11-19T23:59+01:00"], 0, None),
        (cap(at_most=1, within="day"), ["2026-11-20T00:00+01:00"], 1, "2026-11-21T00:00+01:00"),
        (cap(at_most=1, within="month"), ["2026-11-01T00:00+01:00"], 1, "2026-12-01T00:00+01:00"),
        (cap(within="span", seconds=3600), ["2026-11-20T11:00+00:00", "2026-11-20T11:30+00:00"], 1, None),
        (
            cap(within="span", seconds=3600),
            ["2026-11-20T11:00:01+00:00", "2026-11-20T11:30+00:00"],
            2,
            "2026-11-20T12:00:01+00:00",
        ),
        (  # more than it allows, as what is transactional may be: there is room once only one is left
            cap(within="span", seconds=3600),
            ["2026-11-20T11:10+00:00", "2026-11-20T11:20+00:00", "2026-11-20T11:30+00:00"],
            3,
            "2026-11-20T12:20+00:00",
        ),
    ],
)  # fmt: skip
def test_the_count_within_the_time_and_when_there_is_room(
    of: Cap, times: list[str], counts: int, free_at: str | None
) -> None:
    found = count(of, "email", "marketing", entries(*times), FRIDAY, WARSAW)
    assert (found.count, found.free_at) == (counts, free_at and datetime.fromisoformat(free_at))


@pytest.mark.parametrize(("scope", "counts"), [("channel", 2), ("category", 2), ("project", 4), ("unknown", 4)])
def test_what_is_counted_together(scope: Any, counts: int) -> None:
    times = "2026-11-18T09:00+00:00"
    recent = [
        *entries(times, channel="email", category="marketing"),
        *entries(times, channel="email", category="loyalty"),
        *entries(times, channel="sms", category="marketing"),
        *entries(times, channel="sms", category="transactional"),
    ]
    assert count(cap(scope=scope, at_most=9), "email", "marketing", recent, FRIDAY, WARSAW).count == counts


def test_what_waits_is_not_counted() -> None:
    waits = Sent(b"delivery", b"even", int(FRIDAY.timestamp()))
    assert count(cap(), "email", "marketing", [waits], FRIDAY, WARSAW).count == 0


def test_a_cap_with_a_name_is_for_that_channel_or_category_alone() -> None:
    assert applies(cap(scope="channel", name="sms"), "sms", "marketing")
    assert not applies(cap(scope="channel", name="sms"), "email", "marketing")
    assert applies(cap(scope="category", name="marketing"), "sms", "marketing")
    assert not applies(cap(scope="category", name="loyalty"), "sms", "marketing")
    assert applies(cap(scope="category"), "sms", "anything")


def test_in_words() -> None:
    assert in_words(cap(scope="category", name="marketing")) == "2 in week of marketing"
    assert in_words(cap(within="span", seconds=86_400 * 7, scope="channel")) == "2 in 7d of one channel"


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
def test_days_are_whole_where_the_clocks_change(day: str) -> None:
    noon = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=WARSAW)
    first = entries(f"{day}T00:00+0{1 if day.startswith('2026-03') else 2}:00")
    found = count(cap(at_most=1, within="day"), "email", "marketing", first, noon, WARSAW)
    assert found.count == 1
    assert found.free_at is not None
    assert (found.free_at.astimezone(WARSAW).hour, found.free_at.astimezone(WARSAW).date() > noon.date()) == (0, True)
    assert (found.free_at - datetime.fromtimestamp(first[0].at, UTC)).total_seconds() <= span(cap(within="day"))


CAPS = st.builds(
    cap,
    at_most=st.integers(1, 3),
    within=st.sampled_from(["day", "week", "month", "span"]),
    seconds=st.sampled_from([3_600, 86_400, 7 * 86_400]),
)


@given(CAPS, st.lists(st.integers(0, 90 * 24), min_size=1, max_size=20), st.sampled_from(["UTC", "Europe/Warsaw"]))
def test_there_is_room_at_the_moment_that_is_named_and_no_second_before(of: Cap, hours: list[int], zone: str) -> None:
    where, last = ZoneInfo(zone), NOW + timedelta(hours=max(hours))
    recent = entries(*((NOW + timedelta(hours=hour)).isoformat() for hour in hours))
    found = count(of, "email", "marketing", recent, last, where)
    if found.free_at is not None:
        assert found.free_at > last
        assert count(of, "email", "marketing", recent, found.free_at, where).free_at is None
        before = found.free_at - timedelta(seconds=1)
        assert count(of, "email", "marketing", recent, before, where).free_at is not None


def test_the_index_knows_the_longest_span_of_all_caps() -> None:
    index = RuleIndex()
    assert index.cap_span == 0
    index.insert(rule(distribution="a", cap={"at_most": 1, "in": "day"}))
    index.insert(rule(distribution="b", cap=[{"at_most": 1, "in": "30d"}, {"at_most": 1, "in": "1h"}]))
    assert index.cap_span == 30 * 86_400
    index.insert(rule(distribution="b", cap={"at_most": 1, "in": "1h"}))
    assert index.cap_span == span(cap(within="day"))
    index.remove("shop", "a")
    assert index.cap_span == 3_600
    index.remove("shop", "b")
    assert index.cap_span == 0
