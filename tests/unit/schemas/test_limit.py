from __future__ import annotations

import pytest

from schemas.limit import Rate, parse_rate


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("14", Rate(14, 1.0)),
        (" 14 ", Rate(14, 1.0)),
        ("0.2", Rate(1, 5.0)),
        ("2.5", Rate(3, 1.2)),
        ("100/m", Rate(100, 60.0)),
        ("3000/3s", Rate(3000, 3.0)),
        ("1/5s", Rate(1, 5.0)),
        ("10000/1d", Rate(10_000, 86_400.0)),
    ],
)
def test_a_rate_is_read(text: str, rate: Rate) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "fast", "1/0s", "0/s", "1/", "/s", "1/x", "1/2w", "1e3", "nan", "inf", "100001", "1 / s x"]
)
def test_anything_else_is_refused_and_says_what_would_be_right(text: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        parse_rate(text)
