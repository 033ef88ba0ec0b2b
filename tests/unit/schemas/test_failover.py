"""Orders of accounts: what cannot be is refused with what would be right."""

from __future__ import annotations

import pytest

from schemas.failover import failover_problems


@pytest.mark.parametrize(
    ("orders", "problems"),
    [
        ({}, {}),
        ({"main": []}, {}),
        ({"main": ["b", "c"], "b": ["c"], "c": []}, {}),
        ({"main": ["main"], "b": []}, {"main": '"main" is the account itself; must be one of b'}),
        ({"main": ["x"]}, {"main": '"x" is not an account: there is no other account of its channel'}),
        (
            {"main": ["backp"], "backup": []},
            {"main": '"backp" is not an account: must be one of backup. Did you mean "backup"?'},
        ),
        ({"main": ["b", "b"], "b": []}, {"main": "names an account twice: each has one place in the order"}),
        (
            {"main": list("bcdefg"), **{one: [] for one in "bcdefg"}},
            {"main": "must be at most 5 accounts"},
        ),
        (
            {"a": ["b"], "b": ["c"], "c": ["b"]},
            {
                "b": "comes back to where it began: b → c → b; one of them must not name the next",
                "c": "comes back to where it began: c → b → c; one of them must not name the next",
            },
        ),
    ],
)
def test_an_order_that_cannot_be_says_what_would_be_right(
    orders: dict[str, list[str]], problems: dict[str, str]
) -> None:
    assert failover_problems(orders) == problems
