"""Sentences about read models."""

from __future__ import annotations

from datetime import timedelta

import pytest

from console.control.doctor_recorder import said_of_recorder
from console.control.recorded_lag import Behind
from store.read_models.rebuild import Unfinished
from tests.factory import NOW

WEEK = timedelta(days=7)


@pytest.mark.parametrize(
    ("behind", "recorders", "late", "unfinished", "said"),
    [
        (Behind(0), 1, 0, None, "everything is recorded; 1 recorder"),
        (
            Behind(12, NOW - WEEK),
            0,
            0,
            None,
            "12 records of decisions and deliveries not recorded yet, the oldest for 7d; no recorder runs",
        ),
        (
            Behind(0),
            2,
            3,
            None,
            "everything is recorded; 2 recorders; 3 records came after their day was dropped (retention.recorded)",
        ),
        (
            Behind(0),
            1,
            0,
            Unfinished("ann", NOW),
            "everything is recorded; 1 recorder; a rebuild that ann began at 2026-11-20 12:00Z has not ended: where it"
            " is not running, `tidings rebuild read-models` begins anew",
        ),
    ],
    ids=["well", "nobody", "late", "rebuild"],
)
def test_what_is_said_of_read_models(
    behind: Behind, recorders: int, late: int, unfinished: Unfinished | None, said: str
) -> None:
    assert said_of_recorder(behind, recorders, late, unfinished, NOW) == said
