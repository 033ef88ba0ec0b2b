"""The time at which a provider wants to be asked again, however it writes that."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.http.retry_after import WAIT_HEADERS, asked_seconds, retry_after_seconds, window_seconds

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
LATER = int(NOW.timestamp()) + 30


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("120", 120), (" 120 ", 120), ("+5", 5), ("0", 0), ("-5", 0), ("1.5", 1.5), ("120, 60", 120),
        (f"{LATER}", 30), (f"{LATER}.0", 30), (f"{LATER}000", 30), (f"{LATER}000000", 30), (f"{LATER}000000000", 30),
        (f"{LATER - 60}", 0),
        ("Fri, 20 Nov 2026 12:00:30 GMT", 30), ("Friday, 20-Nov-26 12:00:30 GMT", 30), ("Fri Nov 20 12:00:30 2026", 30),
        ("Fri, 20 Nov 2026 12:00:30", 30), ("20 Nov 2026 13:00:30 +0100", 30), ("Fri, 20 Nov 2026 11:59:00 GMT", 0),
        ("2026-11-20T12:00:30Z", 30), ("2026-11-20T12:00:30", 30), ("2026-11-20T13:00:30+01:00", 30),
    ],
)  # fmt: skip
def test_numbers_moments_and_dates_are_understood(written: str, seconds: float) -> None:
    assert retry_after_seconds(written, NOW) == seconds


_NONSENSE = [
    None, "", "soon", "²", "١٢", "1e5", "inf", "nan", "\x00", "-", "9" * 400, "5 minutes",
    "Fri, 31 Feb 2026 12:00:30 GMT", "Fri, 20 Nov 2026 12:00:30 +9999", "Mon, 1 Jan 10000 00:00:00 GMT",
]  # fmt: skip


@pytest.mark.parametrize("written", _NONSENSE)
def test_nonsense_is_as_if_nothing_were_said(written: str | None) -> None:
    assert retry_after_seconds(written, NOW) is None


@pytest.mark.parametrize(
    ("headers", "throttled", "deferred"),
    [
        ({}, None, None),
        ({"retry-after": "7", "x-ratelimit-reset": "60", "x-ratelimit-remaining": "0"}, 7, 7),
        ({"retry-after": "soon", "ratelimit-reset": "60", "ratelimit-remaining": "0"}, 60, 60),
        ({"ratelimit-reset": "60"}, 60, None),
        ({"x-ratelimit-reset": f"{LATER}"}, 30, None),
        ({"x-ratelimit-reset": f"{LATER}000", "x-ratelimit-remaining": "0"}, 30, 30),
        ({"x-rate-limit-reset": f"{LATER}", "x-rate-limit-remaining": "0"}, 30, 30),
        ({"x-ratelimit-reset-after": "1.5", "x-ratelimit-remaining": "0"}, 1.5, 1.5),
        ({"x-ratelimit-reset": f"{LATER}", "x-ratelimit-remaining": "12"}, None, None),  # another limit was reached
        ({"ratelimit": "limit=100, remaining=0, reset=5"}, 5, 5),
        ({"ratelimit": "limit=100, remaining=9, reset=5"}, None, None),
        ({"ratelimit": '"default";r=0;t=5'}, 5, 5),
        ({"ratelimit": '"burst";r=0;t=5, "hour";r=0;t=900, "day";r=40;t=9000'}, 900, 900),
        ({"ratelimit": '"a;t=9,b";r=0;t=5'}, 5, 5),
        ({"ratelimit": '"default";t=5'}, 5, None),
        ({"x-ratelimit-reset": f"{LATER - 90}", "x-ratelimit-remaining": "0"}, 0, 0),
        ({"x-ratelimit-reset": "Fri, 20 Nov 2026 12:00:30 GMT", "x-ratelimit-remaining": "0"}, 30, 30),
        ({"x-ratelimit-reset": "soon", "x-ratelimit-remaining": "0"}, None, None),
        ({"x-ratelimit-reset": "60", "x-ratelimit-remaining": "none"}, None, None),
        ({"x-ratelimit-reset": "60", "x-ratelimit-remaining": "-3"}, 60, None),
        ({"ratelimit": "t=" + "9" * 400}, None, None),
    ],
)
def test_the_end_of_a_window_counts_where_nothing_is_left_of_it(
    headers: dict[str, str], throttled: float | None, deferred: float | None
) -> None:
    assert asked_seconds(headers, NOW, is_throttled=True) == throttled
    assert asked_seconds(headers, NOW, is_throttled=False) == deferred


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, None),  # of a message that it took, that says nothing of the next one
        ({"ratelimit-remaining": "0"}, None),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "60"}, 60),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{LATER}"}, 30),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{LATER}000"}, 30),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{LATER - 90}"}, 0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "-5"}, 0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "soon"}, None),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "60", "retry-after": "7"}, 60),
        ({"x-ratelimit-remaining": "1", "x-ratelimit-reset": "60"}, None),
        ({"x-ratelimit-remaining": "-1", "x-ratelimit-reset": "60"}, None),  # some write so that there is no limit
        ({"x-ratelimit-remaining": "0.5", "x-ratelimit-reset": "60"}, None),
        ({"x-ratelimit-remaining": "unlimited", "x-ratelimit-reset": "60"}, None),
        ({"x-ratelimit-remaining": "", "x-ratelimit-reset": "60"}, None),
        ({"x-ratelimit-remaining": "0, 0", "x-ratelimit-reset": "60, 60"}, 60),
        ({"x-ratelimit-reset": "60"}, None),
        ({"ratelimit": '"burst";r=0;t=5, "hour";r=9;t=900'}, 5),
        ({"ratelimit": "limit=100, remaining=9, reset=5"}, None),
        ({"ratelimit": '"default";t=5'}, None),
    ],
)
def test_a_message_that_was_taken_says_when_the_next_is_where_nothing_is_left(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert window_seconds(headers, NOW) == seconds


@given(st.dictionaries(st.sampled_from(WAIT_HEADERS), st.text(max_size=200)), st.booleans())
def test_whatever_they_hold_is_a_number_of_seconds_or_nothing(headers: dict[str, str], is_throttled: bool) -> None:
    asked = asked_seconds(headers, NOW, is_throttled=is_throttled)
    assert asked is None or 0.0 <= asked < float("inf")


@pytest.mark.parametrize("header", ['"x";' * 20_000, "r=0;t=5," * 20_000, '"' * 50_000, "=" * 50_000, " " * 50_000])
def test_a_header_of_any_length_is_read_at_once(header: str) -> None:
    asked_seconds({"ratelimit": header, "x-ratelimit-reset": header}, NOW, is_throttled=True)
