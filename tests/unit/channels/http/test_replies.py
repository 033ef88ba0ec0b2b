"""The meaning of an HTTP status for a delivery."""

from __future__ import annotations

import pytest

from channels.http.replies import explained, status_meaning

LATER_4XX = {408, 409, 421, 423, 425}


def expected(status: int) -> str:
    """By the rules in words: those named, then the class, then RFC 9110 for what is no status."""
    if status in LATER_4XX:
        return "later"
    if status in (401, 403):
        return "blocked"
    named = {101: "refused", 410: "gone", 429: "throttled", 505: "refused"}
    classes = {1: "later", 2: "accepted", 3: "refused", 4: "refused", 5: "later"}
    return named.get(status) or classes.get(status // 100, "later")


def test_every_status_has_its_meaning_and_a_reason() -> None:
    assert {status: status_meaning(status).meaning for status in range(100, 1000)} == {
        status: expected(status) for status in range(100, 1000)
    }
    assert all(status_meaning(status).why for status in range(100, 1000))


@pytest.mark.parametrize("number", [0, 7, 99, 1000])
def test_what_is_no_status_may_pass(number: int) -> None:
    assert status_meaning(number).meaning == "later"


def test_the_table_for_people_names_each_exception_once_and_every_class() -> None:
    names = [name for name, _ in explained()]
    assert len(names) == len(set(names))
    assert {"429", "4xx", "5xx", "9xx"} <= set(names)
