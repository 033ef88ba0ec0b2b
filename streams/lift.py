"""The lift of a distribution: how much more often those convert who get it than those who are held out."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import NamedTuple

_Z = 1.959963984540054
"""Of the normal distribution, for an interval of 95 %."""


class Group(NamedTuple):
    """Customers, and those among them who converted."""

    customers: int
    converted: int

    @property
    def rate(self) -> float | None:
        """The share of those who converted; None of nobody."""
        return self.converted / self.customers if self.customers else None


@dataclass(frozen=True, slots=True)
class Lift:
    """A difference of two shares, with the ends of its 95 % interval: 0.02 is two percentage points more.

    `relative` is the difference as a share of the control group's; None where nobody of that converted.
    """

    difference: float
    low: float
    high: float
    relative: float | None

    @property
    def is_certain(self) -> bool:
        """True where chance alone hardly makes a difference: 0 is not in the interval."""
        return self.low > 0 or self.high < 0


def wilson(group: Group) -> tuple[float, float]:
    """The 95 % interval of a share by Wilson's score, which is right for few customers and for none or all of them."""
    customers, share, square = group.customers, group.converted / group.customers, _Z * _Z
    middle = share + square / (2 * customers)
    half = _Z * sqrt(share * (1 - share) / customers + square / (4 * customers * customers))
    whole = 1 + square / customers
    low, high = (middle - half) / whole, (middle + half) / whole
    return max(0.0, min(share, low)), min(1.0, max(share, high))  # as reckoned, all of ten lie a hair outside


def lift(treated: Group, control: Group) -> Lift | None:
    """The lift of a group over its control group, where both have customers.

    The interval is Newcombe's of two independent shares (1998, method 10: the square-and-add of two Wilson intervals):
    it stays within -1 and 1, and has a width where nobody converted.
    """
    ours, theirs = treated.rate, control.rate
    if ours is None or theirs is None:
        return None
    (our_low, our_high), (their_low, their_high) = wilson(treated), wilson(control)
    difference = ours - theirs
    below = sqrt((ours - our_low) ** 2 + (their_high - theirs) ** 2)
    above = sqrt((our_high - ours) ** 2 + (theirs - their_low) ** 2)
    return Lift(
        difference, max(-1.0, difference - below), min(1.0, difference + above), difference / theirs if theirs else None
    )
