"""Percentages as authors write them."""

from __future__ import annotations

import re

import pytest

from streams.values.percent import Percent, percent


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("5%", 500), ("0%", 0), ("100%", 10_000), ("100.00%", 10_000), ("0.25%", 25), ("33.3%", 3330), ("05%", 500),
        ("100.01%", None), ("101%", None), ("-1%", None), ("0.125%", None), ("5 %", None), ("5", None), (5, None),
        (0.05, None), ("\u0665%", None), ("5%\n", None), ("%", None), (".5%", None), (True, None),
    ],
)  # fmt: skip
def test_a_percentage_has_at_most_two_decimals_and_is_within_100(written: object, kept: int | None) -> None:
    problems: list[tuple[str, str]] = []
    assert Percent().read(written, "holdout", lambda *problem: problems.append(problem)) == kept
    assert bool(problems) == (kept is None)
    assert all("must be a percentage from 0% to 100% with at most two decimals" in said for _, said in problems)
    if isinstance(written, str):
        assert bool(re.search(Percent().schema()["pattern"], written)) == (kept is not None) or written == "5%\n"


@pytest.mark.parametrize(("share", "text"), [(500, "5%"), (25, "0.25%"), (3330, "33.3%"), (0, "0%"), (10_000, "100%")])
def test_a_share_is_shown_as_it_is_written(share: int, text: str) -> None:
    assert percent(share) == text
    assert Percent().accepted(text) == share
