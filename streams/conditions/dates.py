"""Dates as conditions know them: how one is read, one that is so far from now, and when the clock changes an answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from schemas.formats.blank import trimmed
from schemas.formats.durations import LONGEST, parse_duration


@dataclass(frozen=True, slots=True)
class Relative:
    """A moment or a day that is so far from now, as it was written."""

    span: timedelta
    said: str

    def __str__(self) -> str:
        return self.said


NAMED_DAYS = {"yesterday": timedelta(days=-1), "today": timedelta(), "tomorrow": timedelta(days=1)}
_FROM_NOW = re.compile(r"in (\w+)|(\w+) ago")


def relative(operand: Any) -> Relative | None:
    """`in 7d` and `7d ago`; None for anything else."""
    found = _FROM_NOW.fullmatch(operand) if isinstance(operand, str) else None
    if found is None:
        return None
    span = span_of(found[1] or found[2])
    return Relative(span if found[1] else -span, operand)


def span_of(operand: Any) -> timedelta:
    """A duration, at most a hundred years. Raises ValueError."""
    span = parse_duration(operand)
    if span > LONGEST:
        raise ValueError(f"{operand} is not valid: must be at most {LONGEST.days}d")
    return span


_DATES_KEPT = 4096
"""Texts whose moment is remembered: days come again and again."""
LENGTH_OF_DATE = len("2026-11-20")
"""A date without a time."""
_DATE_ONLY = re.compile(r"\d{4}-\d{2}-\d{2}")


def read_date(value: Any) -> datetime | None:
    """A `YYYY-MM-DD` (midnight UTC) or RFC 3339 text as a moment with an offset; None for anything else."""
    return parse_date(value) if isinstance(value, str) else None


@lru_cache(_DATES_KEPT)
def parse_date(value: str) -> datetime | None:
    """`read_date` of what is known to be a text."""
    value = trimmed(value)
    if not _DATE_ONLY.match(value):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


Changes = Callable[[datetime, Any, datetime], "datetime | None"]
"""From a value's date, a test's operand and the present moment to the next moment that may change the answer.

Too early is harmless (one more look), too late is not; None where none comes.
"""

_NEAR_A_DAY = timedelta(days=3)
"""Around a date: its own length, the timezones' differences, and the day that 29 February may be off."""
_TICK = timedelta(microseconds=1)
"""The smallest step of a moment: the first one at which an interval that includes its end is over."""


def earliest(moments: Iterable[datetime | None]) -> datetime | None:
    """The first of some moments, of which any may never come."""
    return min((moment for moment in moments if moment is not None), default=None)


def within_last_changes(value: datetime, operand: timedelta, now: datetime) -> datetime | None:
    """It begins with the value and ends so long after it."""
    return _of_interval(value, value, timedelta(), operand, now)


def within_next_changes(value: datetime, operand: timedelta, now: datetime) -> datetime | None:
    """It begins so long before the value and ends with it."""
    return _of_interval(value, value, -operand, timedelta(), now)


def _of_interval(start: datetime, end: datetime, before: timedelta, after: timedelta, now: datetime) -> datetime | None:
    """True from `start + before` to `end + after`, both included."""
    begins, ends = _moved(start, before), _moved(end, after)
    if begins is not None and now < begins:
        return begins
    return _moved(ends, _TICK) if ends is not None and now <= ends else None


def _moved(moment: datetime | None, by: timedelta) -> datetime | None:
    """None where the calendar ends before."""
    try:
        return moment and (moment + by).astimezone(UTC)
    except OverflowError:
        return None


def before_changes(value: datetime, operand: datetime | Relative, now: datetime) -> datetime | None:
    """`before` and `after` a moment that is so far from now; a date that is written down does not move."""
    if not isinstance(operand, Relative):
        return None
    return _of_interval(value, value, -operand.span, -operand.span, now)


def on_changes(value: datetime, operand: datetime | Relative, now: datetime) -> datetime | None:
    """`on` a day that is so far from now; one that is written down does not move."""
    return _around_day(_moved(value, -operand.span), now) if isinstance(operand, Relative) else None


def day_is_changes(value: datetime, operand: Relative, now: datetime) -> datetime | None:
    """The day comes each year; on 29 February or the 28th, which are near enough to each other."""
    wanted = _moved(now, operand.span)
    if wanted is None:
        return None
    days = (_midnight(year, value.month, min(value.day, 28)) for year in range(wanted.year - 1, wanted.year + 2))
    return earliest(_around_day(_moved(day, -operand.span), now) for day in days if day)


def _around_day(day: datetime | None, now: datetime) -> datetime | None:
    """Each quarter of an hour around a day: it begins at one of them, whatever the customer's timezone is."""
    if day is None or now >= day + _NEAR_A_DAY:
        return None
    begins = day - _NEAR_A_DAY
    if now < begins:
        return begins
    return now.replace(minute=now.minute // 15 * 15, second=0, microsecond=0) + timedelta(minutes=15)


def _midnight(year: int, month: int, day: int) -> datetime | None:
    try:
        return datetime(year, month, day, tzinfo=UTC)
    except ValueError:
        return None
