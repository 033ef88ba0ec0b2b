"""The words in which an owner is told: what is wrong, and a command that shows more."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from schemas.destination import Destination
from schemas.notice import Concern
from schemas.plan import LimitUse, ProjectUse
from streams.notices import codes_low, destination_paused, distribution_paused, limits_used

CASES = [
    (
        destination_paused(Destination("shop", "webhook", "hooks.example.com"), "HTTP 401: bad key"),
        ("destination_paused", "webhook/hooks.example.com", "HTTP 401: bad key", "--resume webhook/hooks.example.com"),
    ),
    (distribution_paused("shop", "winback", "spring"), ("distribution_paused", "winback", "spring", "resume winback")),
    (codes_low("shop", "spring", 12, 1000), ("codes_low", "spring", "12 of 1000", "campaigns show spring")),
]


@pytest.mark.parametrize(("concern", "expected"), CASES)
def test_each_concern_says_what_and_what_to_look_at(concern: Concern, expected: tuple[str, str, str, str]) -> None:
    kind, about, said, command = expected
    assert (concern.project_id, concern.kind, concern.about) == ("shop", kind, about)
    assert said in concern.summary
    assert command in concern.look_at


DAY, MIDNIGHT = date(2026, 3, 28), datetime(2026, 3, 28, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("use", "told"),
    [
        (LimitUse("a_day", 10, 0, MIDNIGHT), []),
        (LimitUse("a_day", 10, 7, MIDNIGHT), []),
        (LimitUse("a_day", 10, 8, MIDNIGHT), ["a day 2026-03-28: 80%"]),
        (LimitUse("a_day", 10, 10, MIDNIGHT), ["a day 2026-03-28: 80%", "a day 2026-03-28: 100%"]),
        (LimitUse("a_month", 3, 2, MIDNIGHT), []),
        (LimitUse("a_month", 100, 80, MIDNIGHT), ["a month 2026-03: 80%"]),
        (LimitUse("in_all", 1, 1, None), ["in all: 80%", "in all: 100%"]),
        (LimitUse("in_all", 1, 3, None), ["in all: 80%", "in all: 100%"]),  # the limit was lowered since
    ],
)
def test_each_threshold_of_a_limit_is_a_matter_of_its_own(use: LimitUse, told: list[str]) -> None:
    found = list(limits_used(ProjectUse("shop", "Europe/Warsaw", DAY, (use,))))
    assert [one.about for one in found] == told
    assert all(one.kind == "limit_used" and "projects show shop" in one.look_at for one in found)
    if use.used >= use.allowed:
        until = "until 2026-03-29 00:00 " if use.free_at else ""
        assert f"What comes {until}fails as limit." in found[-1].summary
