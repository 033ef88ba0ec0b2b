"""The lift and its interval, held against the examples of the paper that it is from."""

from __future__ import annotations

import pytest

from streams.lift import Group, lift, wilson


@pytest.mark.parametrize(
    ("treated", "control", "low", "high"),
    [
        ((70, 56), (80, 48), 0.0524, 0.3339),
        ((10, 9), (10, 3), 0.1705, 0.8090),
        ((7, 6), (7, 2), 0.0582, 0.8062),
        ((56, 5), (29, 0), -0.0381, 0.1926),
        ((10, 0), (20, 0), -0.1611, 0.2775),
        ((10, 0), (10, 0), -0.2775, 0.2775),
        ((10, 10), (20, 0), 0.6791, 1.0),
        ((10, 10), (10, 0), 0.6075, 1.0),
    ],
)
def test_intervals_are_those_of_newcombe_1998_table_2_method_10(
    treated: tuple[int, int], control: tuple[int, int], low: float, high: float
) -> None:
    found = lift(Group(*treated), Group(*control))
    assert found is not None
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.00005)
    other = lift(Group(*control), Group(*treated))
    assert other is not None
    assert (other.low, other.high) == pytest.approx((-high, -low), abs=0.00005)


@pytest.mark.parametrize(("treated", "control"), [((0, 0), (10, 1)), ((10, 1), (0, 0)), ((0, 0), (0, 0))])
def test_with_nobody_in_a_group_nothing_is_said(treated: tuple[int, int], control: tuple[int, int]) -> None:
    assert lift(Group(*treated), Group(*control)) is None


def test_where_nobody_of_the_control_group_converted_the_difference_has_no_share_of_that() -> None:
    found = lift(Group(1000, 50), Group(1000, 0))
    assert found is not None
    assert (found.relative, found.is_certain) == (None, True)
    twice = lift(Group(1000, 50), Group(1000, 25))
    assert twice is not None and twice.relative == pytest.approx(1.0)
    none = lift(Group(100, 5), Group(100, 4))
    assert none is not None and not none.is_certain


@pytest.mark.parametrize("converted", [0, 1, 9, 10])
def test_the_interval_of_a_share_has_the_share_in_it_and_stays_a_share(converted: int) -> None:
    low, high = wilson(Group(10, converted))
    assert 0 <= low <= converted / 10 <= high <= 1
    assert high - low > 0.2
