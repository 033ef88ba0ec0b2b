"""The moment at which the ledger is looked through for queues that a sender does not know."""

from __future__ import annotations

import pytest

from agents.roles.sender.looks import Looks

HOUR = 3600.0


@pytest.mark.parametrize(
    ("took", "is_over", "rest"),
    [
        (0.005, False, 0.1),
        (0.005, True, 5.0),
        (0.4, False, 8.0),
        (0.4, True, 8.0),
        (30.0, False, 60.0),
    ],
)
def test_a_look_is_followed_by_a_rest_that_grows_with_what_it_took(took: float, is_over: bool, rest: float) -> None:
    looks = Looks(lambda: HOUR)
    assert looks.is_due()
    looks.looked(took, is_over=is_over)
    assert looks.due_in() == pytest.approx(rest)


def test_what_somebody_changed_is_looked_for_in_all_queues() -> None:
    looks = Looks(lambda: HOUR)
    looks.looked(0.0, is_over=True)
    looks.hurry()
    assert looks.is_due()
    looks.looked(0.0, is_over=False)
    looks.looked(0.0, is_over=True)  # it began in the middle: the first ones once more
    assert looks.due_in() == pytest.approx(0.1)
    looks.looked(0.0, is_over=True)
    assert looks.due_in() == pytest.approx(5.0)
