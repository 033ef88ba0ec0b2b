"""Numbers over time as a chart of bars that is made here, and stands still without a script."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import get_args

from console.control.over_time import Became, OverTime, Part, Unit

_HEIGHT = 100.0
_MARKS = 4
"""Moments that are written below a chart, the last one beside them."""
_BECAME: tuple[Became, ...] = get_args(Became)


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a part, from above, in hundredths of the highest one; what is of one part stands upon each other."""

    became: Became
    top: float
    height: float


@dataclass(frozen=True, slots=True)
class ChartPart:
    """A part of the range: where it stands, how many messages of it became what, and the address of their list."""

    place: int
    since: datetime
    sent: int
    skipped: int
    failed: int
    bars: Sequence[Bar]
    path: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart of messages over time: `parts` are those that have any, of so many `places` in a row.

    `most` are the messages of the highest part, and `marks` moments at equal distances, its two ends among them.
    """

    unit: Unit
    places: int
    parts: Sequence[ChartPart]
    most: int
    marks: Sequence[datetime]


def chart(numbers: OverTime, path_of: Callable[[Part], str]) -> Chart:
    """The chart of some numbers; `path_of` gives the list of the messages of a part."""
    most = max((one.total for one in numbers.parts), default=0)
    shown = [
        ChartPart(place, one.since, one.of("sent"), one.of("skipped"), one.of("failed"), _bars(one, most), path_of(one))
        for place, one in enumerate(numbers.parts)
        if one.total
    ]
    return Chart(numbers.unit, len(numbers.parts), shown, most, _marks(numbers.parts))


def _bars(part: Part, most: int) -> list[Bar]:
    bars, top = list[Bar](), _HEIGHT
    for name in _BECAME:
        height = round(part.of(name) / most * _HEIGHT, 2)
        if height:
            top = round(top - height, 2)
            bars.append(Bar(name, top, height))
    return bars


def _marks(parts: Sequence[Part]) -> list[datetime]:
    count = min(_MARKS, len(parts))
    return [parts[n * len(parts) // count].since for n in range(count)] + [parts[-1].until]
