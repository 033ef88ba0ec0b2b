"""Reputation of accounts: the table of cases."""

from __future__ import annotations

import pytest

from streams.sending.reputation import Bounds, Sent, trouble


@pytest.mark.parametrize(
    ("count", "bounced", "complained", "said"),
    [
        (0, 0, 0, ""),
        (20, 0, 1, ""),
        (999, 999, 999, ""),
        (1_000, 50, 1, ""),
        (1_000, 51, 1, "of its last 1,000 messages 51 bounced (5.1 %, at most 5 % may)"),
        (1_000, 0, 2, "of its last 1,000 messages 2 drew complaints (0.2 %, at most 0.1 % may)"),
        (1_000_000, 50_000, 1_000, ""),
        (1_000_000, 50_001, 1_000, "of its last 1,000,000 messages 50,001 bounced (5 %, at most 5 % may)"),
        (
            2_000, 200, 20,
            "of its last 2,000 messages 200 bounced (10 %, at most 5 % may), "
            "20 drew complaints (1 %, at most 0.1 % may)",
        ),
    ],
)  # fmt: skip
def test_an_account_is_in_trouble_over_its_shares(count: int, bounced: int, complained: int, said: str) -> None:
    assert trouble(Sent(count, bounced, complained), Bounds()) == said


@pytest.mark.parametrize(
    ("bounds", "is_in_trouble"),
    [
        (Bounds(bounced=10), False),
        (Bounds(bounced=9.9), True),
        (Bounds(bounced=100), False),
        (Bounds(bounced=0, least=100), True),
        (Bounds(least=101), False),
        (Bounds(least=0), True),
    ],
)
def test_bounds_are_what_is_set(bounds: Bounds, is_in_trouble: bool) -> None:
    hundred = Sent(100, 10, 0) if bounds.least in (100, 101, 0) else Sent(1_000, 100, 0)
    assert bool(trouble(hundred, bounds)) == is_in_trouble
    assert trouble(Sent(0, 0, 0), bounds) == ""
