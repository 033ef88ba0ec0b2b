"""Limits of recipients' domains as they are written."""

from __future__ import annotations

import pytest

from schemas.domain_limits import domain_limits_text, parse_domain_limits
from schemas.limit import Limit, Rate


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("", {}),
        (" ", {}),
        ("gmail.com: 20/s", {"gmail.com": Limit(Rate(20, 1.0))}),
        ("GMail.com:20,yahoo.com : 100/m", {"gmail.com": Limit(Rate(20, 1.0)), "yahoo.com": Limit(Rate(100, 60.0))}),
        ("bücher.example: 1", {"xn--bcher-kva.example": Limit(Rate(1, 1.0))}),
    ],
)
def test_what_is_written_is_read(text: str, limits: dict[str, Limit]) -> None:
    assert parse_domain_limits(text) == limits
    assert domain_limits_text(text) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("gmail.com", '"gmail.com" is not valid: must be a domain and its rate'),
        ("gmail.com 20/s", "must be a domain and its rate"),
        ("*: 20", "must be a domain and its rate"),
        ("com: 20", "must be a domain and its rate"),
        ("a@gmail.com: 20", "must be a domain and its rate"),
        ("gmail.com: 20/s,", "must be a domain and its rate"),
        ("gmail.com: fast", '"fast" is not valid: must be messages a second'),
        ("gmail.com: 0", "is not valid"),
        ("gmail.com: 1, GMAIL.com: 2", '"gmail.com" is there twice'),
        (",".join(f"{number}.example: 1" for number in range(101)), "must be at most 100 domains"),
    ],
)
def test_what_is_wrong_is_said(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why.replace("*", r"\*")):
        parse_domain_limits(text)
