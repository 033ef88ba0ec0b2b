"""Spans of time as people write them: 45s, 30m, 12h, 3d, 2w."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
DURATION_PATTERN = "([0-9]{1,6})([smhdw])"
"""What a duration is, whole, as a regular expression that other languages read too."""
LONGEST = timedelta(days=36_525)
"""A century: what authors may write at most, so that no date that is counted from it leaves the calendar."""
_FORM = re.compile(DURATION_PATTERN)


def parse_duration(text: object) -> timedelta:
    """`3d` as a timedelta. Raises ValueError that says what is allowed."""
    found = _FORM.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f"{text!r} is not a duration; write a whole number and s, m, h, d or w, as in 30m or 3d")
    return timedelta(seconds=int(found[1]) * _UNITS[found[2]])


def later(moment: datetime, seconds: int) -> datetime | None:
    """So many seconds after a moment; None where the calendar has ended by then, which is as good as never."""
    try:
        return moment + timedelta(seconds=seconds)
    except OverflowError:
        return None


def format_duration(seconds: int) -> str:
    """The shortest way to write a number of seconds: 259200 is 3d."""
    for unit, size in sorted(_UNITS.items(), key=lambda item: -item[1]):
        if seconds % size == 0 and seconds >= size and unit != "w":
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
