"""The time at which a provider wants to be asked again, however it writes that."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from channels.http.retry_after import retry_after_seconds

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
