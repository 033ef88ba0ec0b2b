"""When a condition's answer may change by the clock alone.

Too early is harmless (one more look), too late is not. Every test stands in exactly one of two places: `TIMELESS`,
whose answer depends on the value alone, or `MOMENTS`, with a function that says when. A test in neither is looked at
again every hour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from streams.conditions.compile import Compiler, Getter, Run, getter, value_getter
from streams.conditions.language import All, AnyOf, Condition, Items, Not, Path, Test, Total
from streams.conditions.predicates import Relative, read_date

Moment = Callable[[Any, datetime], "datetime | None"]
"""From what a condition is asked about and the present moment (UTC): the next moment to look; None where none comes."""

TIMELESS = frozenset(
    {
        "is", "is_not", "in", "not_in", "at_least", "at_most", "more_than", "less_than", "between", "is_any_case",
        "in_any_case", "contains", "starts_with", "ends_with", "contains_any_case", "starts_with_any_case",
        "ends_with_any_case", "matches", "is_set",
    }
)  # fmt: skip
"""Tests that do not ask what time it is."""

_LOOK_AGAIN = timedelta(hours=1)
_NEAR_A_DAY = timedelta(days=3)
"""Around a date: its own length, the timezones' differences, and the day that 29 February may be off."""
_TICK = timedelta(microseconds=1)
"""The smallest step of a moment: the first one at which an interval that includes its end is over."""


def changes_at(condition: Condition, read: Callable[[Path], Getter] = getter) -> Moment | None:
    """A function that says when the answer may change; None where the clock never changes it."""
    match condition:
        case Test(path, name, operand):
            return None if name in TIMELESS else _of_test(value_getter(path, name, read), name, operand)
        case Not(part):
            return changes_at(part, read)
        case All(parts):
            return _of_group(parts, read, decisive=False)
        case AnyOf(parts):
            return _of_group(parts, read, decisive=True)
        case Items(path, _, inner):
            return _of_items(read(path), changes_at(inner))
        case Total(path, where=where):
            return _of_items(read(path), changes_at(where) if where else None)
        case _:  # a kind of condition that is not known here
            return _in_an_hour


def _in_an_hour(_about: Any, now: datetime) -> datetime | None:
    return now + _LOOK_AGAIN


def _of_test(get: Getter, name: str, operand: Any) -> Moment:
    moment = MOMENTS.get(name)
    if moment is None:
        return _in_an_hour

    def at(about: Any, now: datetime) -> datetime | None:
        value = read_date(get(about))
        return None if value is None else moment(value, operand, now)

    return at


def _of_group(parts: tuple[Condition, ...], read: Callable[[Path], Getter], *, decisive: bool) -> Moment | None:
    """Of the parts that the clock changes; nothing comes while one that it does not change decides the group."""
    clocked = [moment for part in parts if (moment := changes_at(part, read))]
    if not clocked:
        return None
    compiler = Compiler(read, remember=False)
    fixed: list[Run] = [compiler.compile(part) for part in parts if changes_at(part, read) is None]

    def at(about: Any, now: datetime) -> datetime | None:
        if any(run(about, now) is decisive for run in fixed):
            return None
        return earliest(moment(about, now) for moment in clocked)

    return at


def _of_items(get: Getter, inner: Moment | None) -> Moment | None:
    if inner is None:
        return None

    def at(about: Any, now: datetime) -> datetime | None:
        items = get(about)
        if type(items) is not list:
            return None
        return earliest(inner(item, now) for item in items if type(item) is dict)

    return at


def earliest(moments: Iterable[datetime | None]) -> datetime | None:
    """The first of some moments, of which any may never come."""
    return min((moment for moment in moments if moment is not None), default=None)


def _within_last(value: datetime, operand: timedelta, now: datetime) -> datetime | None:
    return _of_interval(value, value, timedelta(), operand, now)


def _within_next(value: datetime, operand: timedelta, now: datetime) -> datetime | None:
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


def _before(value: datetime, operand: datetime | Relative, now: datetime) -> datetime | None:
    """`before` and `after` a moment that is so far from now; a date that is written down does not move."""
    if not isinstance(operand, Relative):
        return None
    return _of_interval(value, value, -operand.span, -operand.span, now)


def _on(value: datetime, operand: datetime | Relative, now: datetime) -> datetime | None:
    return _around_day(_moved(value, -operand.span), now) if isinstance(operand, Relative) else None


def _day_is(value: datetime, operand: Relative, now: datetime) -> datetime | None:
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


MOMENTS: dict[str, Callable[[datetime, Any, datetime], datetime | None]] = {
    "within_last": _within_last,
    "within_next": _within_next,
    "before": _before,
    "after": _before,
    "on": _on,
    "day_is": _day_is,
}
"""By test: from the value's date, the operand and the present moment to the next moment that may change the answer."""
