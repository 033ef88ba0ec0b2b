"""Holdout: a message is kept back where its customer was drawn to be held out."""

from __future__ import annotations

import pytest

from streams.checks.holdout import HOLDOUT
from streams.experiment import IN_NONE, Draw
from streams.verdict import GO, Skip, Verdict
from tests.unit.streams.checks.subjects import message

OUT = Draw("holdout of 5%, drew 1%", "holdout of 5%, drew 1%")


@pytest.mark.parametrize(
    ("draw", "verdict"),
    [(IN_NONE, GO), (Draw(seen="holdout of 5%, drew 7%"), GO), (OUT, Skip("holdout", "holdout of 5%, drew 1%"))],
)
def test_a_draw_decides(draw: Draw, verdict: Verdict) -> None:
    assert HOLDOUT.judge(message(draw=draw)).verdict == verdict


def test_it_is_shown_where_somebody_may_be_held_out() -> None:
    assert HOLDOUT.judge(message(draw=OUT, holdout="5%"))[1:] == ("not held out", OUT.seen)
    assert HOLDOUT.judge(message()).test == ""
