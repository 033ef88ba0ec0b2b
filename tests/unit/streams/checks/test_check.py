"""Checks in their order: the first objection counts, and each that is shown is recorded."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from schemas.decision import Check
from streams.checks.backfill import BACKFILL
from streams.checks.cap import CAP
from streams.checks.check import AudienceCheck, Finding, Subject, first_objection
from streams.checks.consent import CONSENT
from streams.checks.holdout import HOLDOUT
from streams.checks.lifecycle import LIFECYCLE
from streams.checks.order import CHECKS
from streams.checks.reach import REACH
from streams.checks.reentry import REENTRY
from streams.checks.window import WINDOW
from streams.verdict import GO, Defer, Skip, Verdict
from tests.factory import NOW
from tests.unit.streams.checks.subjects import subject

CAPPED, LATER = Skip("capped", "3 in a week"), Defer("quiet_hours", NOW, "until noon")


def test_the_order() -> None:
    assert CHECKS.of_distribution == (LIFECYCLE, BACKFILL, CONSENT)
    assert CHECKS.of_message == (REACH, HOLDOUT, REENTRY, WINDOW, CAP)


def answering(verdict: Verdict, name: str) -> AudienceCheck[Subject]:
    return AudienceCheck(lambda _: Finding(verdict, name, "seen"))


@pytest.mark.parametrize(
    ("verdicts", "objection"),
    [
        ([], None),
        ([GO, GO], None),
        ([GO, CAPPED], CAPPED),
        ([LATER, CAPPED], LATER),
        ([CAPPED, LATER], CAPPED),
    ],
)
def test_the_first_objection_counts_and_all_are_recorded(
    verdicts: list[Verdict], objection: Skip | Defer | None
) -> None:
    checks = [answering(verdict, str(number)) for number, verdict in enumerate(verdicts)]
    recorded: list[Check] = []
    assert first_objection(checks, subject(), recorded.append) == objection
    assert [(one.test, one.passed, one.seen) for one in recorded] == [
        (str(number), verdict == GO, "seen") for number, verdict in enumerate(verdicts)
    ]


def test_what_is_not_shown_is_not_asked_after_an_objection() -> None:
    asked: list[str] = []

    def judge(name: str, verdict: Verdict) -> Callable[[Subject], Finding]:
        def answer(_: Subject) -> Finding:
            asked.append(name)
            return Finding(verdict)

        return answer

    checks = [AudienceCheck(judge("first", CAPPED)), AudienceCheck(judge("second", GO), is_shown=False)]
    recorded: list[Check] = []
    assert first_objection(checks, subject(), recorded.append) == CAPPED
    assert (asked, recorded) == (["first"], [])


def test_a_check_that_does_not_apply_is_not_recorded() -> None:
    recorded: list[Check] = []
    assert first_objection([answering(GO, "")], subject(), recorded.append) is None
    assert recorded == []
