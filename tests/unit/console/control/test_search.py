"""Things found by a part of their name: what fits, and in which order."""

from __future__ import annotations

import pytest

from console.control.search import Matches, matches, rank_of, sought_words
from schemas.errors import BadQuestion

THINGS = ["Winback, spring", "spring-codes", "Offspring", "Spring", "Zażółć gęślą", "Summer codes"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("spring", ["Spring", "spring-codes", "Winback, spring", "Offspring"]),
        ("  SPRING ", ["Spring", "spring-codes", "Winback, spring", "Offspring"]),
        ("spring win", ["Winback, spring"]),
        ("codes", ["spring-codes", "Summer codes"]),
        ("od es", ["spring-codes", "Summer codes"]),
        ("zazolc", ["Zażółć gęślą"]),
        ("GĘŚ", ["Zażółć gęślą"]),
        ("%", []),
        ("spring.", []),
    ],
)
def test_all_words_have_to_be_there_and_what_begins_with_them_comes_first(text: str, expected: list[str]) -> None:
    found = matches(THINGS, lambda one: [one], sought_words(text), 10)
    assert (list(found.best), found.number) == (expected, len(expected))


def test_the_best_are_listed_and_all_are_counted() -> None:
    assert matches(THINGS, lambda one: [one], sought_words("spring"), 2) == Matches(["Spring", "spring-codes"], 4)


def test_words_may_stand_in_different_texts_of_a_thing() -> None:
    ranks = [rank_of(texts, ["win", "back"]) for texts in (["Win us", "back-2"], ["win", "x"], ["x-win back", "y"])]
    assert ranks == [2, None, 2]


@pytest.mark.parametrize("text", ["", "  ", "\0", "\u0301", "x" * 201])
def test_a_text_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(BadQuestion, match="1 to 200 characters"):
        sought_words(text)
