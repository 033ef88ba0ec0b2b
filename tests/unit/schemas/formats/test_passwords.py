"""Passwords: judged by length, and by the list of those that everybody tries."""

from __future__ import annotations

import pytest

from schemas.formats.passwords import LONGEST, SHORTEST, normal_password, password_problem


@pytest.mark.parametrize(
    "taken",
    [
        "tulip-river-", "a quiet brown bear", "żółw na płocie", "x7" * 6, "ą" * LONGEST, "two  blanks inside",
        "パスワードはとても長いです",
    ],
)  # fmt: skip
def test_length_is_all_that_a_password_needs(taken: str) -> None:
    assert password_problem(taken) is None


@pytest.mark.parametrize(
    ("refused", "why"),
    [
        ("", "too short"), ("eleven-long", "too short"), ("y" * (LONGEST + 1), "too long"), ("y" * 100_000, "too long"),
        ("Password1234", "everybody"), ("qwertyuiop123", "everybody"), ("123456789012", "everybody"),
        ("\uff41" * 12, "everybody"), ("\ufb01" * 5, "too short"),
    ],
)  # fmt: skip
def test_a_password_is_refused_with_the_reason_and_without_itself(refused: str, why: str) -> None:
    said = password_problem(refused)
    assert said is not None
    assert why in said
    assert not refused or refused not in said


def test_characters_count_once_they_are_normalised() -> None:
    composed, decomposed = "é" * SHORTEST, "e\u0301" * SHORTEST
    assert normal_password(composed) == normal_password(decomposed)
    assert password_problem(decomposed) is None
    assert password_problem("e\u0301" * (SHORTEST - 1)) is not None
