"""The lifecycle of a distribution."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from streams.checks.lifecycle import LIFECYCLE
from streams.verdict import GO, Skip, Verdict
from tests.unit.streams.checks.subjects import subject

START = {"starts_at": "2026-11-21T00:00:00Z"}
END = {"ends_at": "2026-11-25T00:00:00Z"}
NOT_YET = Skip("not_started", "starts at 2026-11-21T00:00:00+00:00")
OVER = Skip("ended", "ended at 2026-11-25T00:00:00+00:00")
PAUSED = Skip("paused", "the distribution is paused")
FIRST, LAST = datetime(2026, 11, 21, tzinfo=UTC), datetime(2026, 11, 25, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("changes", "happened", "verdict"),
    [
        ({}, FIRST, GO),
        (START, FIRST - MOMENT, NOT_YET),
        (START, FIRST, GO),
        (END, LAST - MOMENT, GO),
        (END, LAST, OVER),
        ({**START, **END}, LAST, OVER),
        ({"status": "PAUSED"}, FIRST, PAUSED),
        ({"status": "PAUSED", **START}, FIRST - MOMENT, PAUSED),
    ],
)
def test_it_sends_from_its_start_until_its_end_and_not_while_paused(
    changes: dict[str, Any], happened: datetime, verdict: Verdict
) -> None:
    assert LIFECYCLE.judge(subject(happened=happened, **changes)).verdict == verdict


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({}, None),
        ({"status": "PAUSED"}, None),
        (START, ("within its time", "2026-11-21T00:00:00+00:00")),
        (END, ("within its time", "2026-11-21T00:00:00+00:00")),
    ],
)
def test_it_is_shown_where_there_is_a_start_or_an_end(changes: dict[str, Any], shown: tuple[str, str] | None) -> None:
    assert LIFECYCLE.judge(subject(happened=FIRST, **changes))[1:] == (shown or ("", ""))
