"""Whatever a provider of the demo was told too little, too often or wrongly is counted as that."""

from __future__ import annotations

import pytest

from console.demo.compare import Compared, compare
from console.demo.stands import Told

RIGHT = [("d1", "a"), ("d2", "b"), ("who", "first"), ("who", "second")]


@pytest.mark.parametrize(
    ("came", "found"),
    [
        (RIGHT, Compared(4, 0, 0, 0, 0)),
        (list(reversed(RIGHT)), Compared(4, 0, 0, 0, 0)),
        (RIGHT[1:], Compared(3, 1, 0, 0, 0)),
        ([*RIGHT, RIGHT[0]], Compared(5, 0, 1, 0, 0)),
        ([*RIGHT[1:], ("d1", "b")], Compared(4, 0, 0, 0, 1)),
        ([*RIGHT[:3], ("who", "third")], Compared(4, 0, 0, 0, 1)),
        ([*RIGHT[:3], RIGHT[2]], Compared(4, 1, 1, 0, 0)),
        ([*RIGHT, ("d3", "a")], Compared(5, 0, 0, 1, 0)),
        ([*RIGHT, ("d1", "c")], Compared(5, 0, 0, 1, 0)),
        ([], Compared(0, 4, 0, 0, 0)),
    ],
)
def test_every_difference_is_counted_as_what_it_is(came: list[tuple[str, str]], found: Compared) -> None:
    compared = compare((Told(key, what, 0.0) for key, what in came), RIGHT)
    assert compared == found
    assert compared.is_right == (came in (RIGHT, list(reversed(RIGHT))))
