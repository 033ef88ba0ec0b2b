"""Tokens of links: where they end, and that there is one way to write each."""

from __future__ import annotations

import base64
import re

import pytest

from channels.link_tokens import opened, sealed

SECRET, PURPOSE = "a secret of tests", b"tests"


def test_no_token_ends_in_what_programs_leave_out_of_a_link() -> None:
    made = {number: sealed((f"customer {number:05}", ""), SECRET, PURPOSE) for number in range(600)}
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+[A-Za-z0-9]", token) for token in made.values())
    assert any(len(token) % 4 == 1 for token in made.values()), "some would have ended so"
    for number, token in made.items():
        assert opened(token, [SECRET], PURPOSE) == (f"customer {number:05}", "")


def _ends_in_a_dash() -> str:
    tokens = (sealed((f"customer {number:05}", ""), SECRET, PURPOSE) for number in range(600))
    return next(token for token in tokens if len(token) % 4 == 1)


def test_a_link_of_an_older_mail_still_works() -> None:
    token = _ends_in_a_dash()
    assert opened(token[:-1], [SECRET], PURPOSE) == opened(token, [SECRET], PURPOSE) is not None


@pytest.mark.parametrize("end", ["A", "1", "-", "_", "00", "-0", "="])
def test_nothing_else_stands_behind_a_token(end: str) -> None:
    token = _ends_in_a_dash()
    whole = sealed(("customer", "x"), SECRET, PURPOSE)
    assert base64.urlsafe_b64decode(token[:-1])
    assert opened(token[:-1] + end, [SECRET], PURPOSE) is None
    assert opened(whole + end, [SECRET], PURPOSE) is None
    assert opened(whole + "0", [SECRET], PURPOSE) is None
