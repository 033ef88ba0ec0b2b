"""The number of members that a send may be ahead."""

from __future__ import annotations

import pytest

from streams.pace import Pace

Look = tuple[float, int, int]


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ([(0, 0, 0)], 100),  # nothing has left yet
        ([(0, 0, 0), (1, 100, 40)], 60),
        ([(0, 0, 0), (1, 100, 100), (30, 100, 100)], 0),  # nothing leaves
        ([(0, 0, 0), (1, 100, 0), (2, 200, 0), (3, 300, 0)], 300),  # all leaves at once
        ([(0, 0, 0), (30, 3000, 0), (61, 3000, 0)], 100),  # left before the last minute
        ([(0, 0, 0), (30, 3000, 1000)], 1000),
        ([(0, 0, 5000)], 0),  # others are ahead on the same topic
    ],
)
def test_as_many_are_ahead_as_left_within_a_minute(looks: list[Look], expected: int) -> None:
    pace = Pace(60, 100)
    assert [pace.capacity(*look) for look in looks][-1] == expected


def test_a_steady_account_is_a_minute_behind_at_most() -> None:
    pace, emitted, gone = Pace(60, 1000), 0, 0
    for second in range(600):
        emitted += pace.capacity(second, emitted, emitted - gone)
        gone = min(emitted, gone + 50)
        assert emitted - gone <= 60 * 50
    assert gone == 600 * 50, "it never stood still"
