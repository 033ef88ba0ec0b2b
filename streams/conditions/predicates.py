"""Every test that a condition can make, in one table: which kinds of value it is for, its operand, and what it does.

A test gets a value that is present (never null) and answers True, False, or `Failure` where the value is of a kind that
the test cannot judge; None where it counts as missing, as a blank text does for all but the tests of texts. That holds
for equality, too: of "1" and 1 nobody can say that they differ.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache, lru_cache, partial
from typing import Any

import re2

from schemas.formats.blank import is_blank, trimmed
from schemas.formats.durations import parse_duration
from schemas.formats.kinds import kind_in_words
from streams.conditions.answer import (
    Answer,
    Failure,
    Kind,
    Misfit,
    equality_key,
    is_nan,
    kinds_of,
    same_in_any_case,
    types_of,
    unfit,
)
from streams.conditions.language import MAX_LIST, MAX_PATTERN

Check = Callable[[Any, datetime], Answer | None]


@dataclass(frozen=True, slots=True)
class Predicate:
    """One test. `operand` turns what was written into what `build` takes, or raises ValueError saying what is allowed.

    `absent` is the answer for a missing or null value. `costly`: asking twice takes longer than remembering the answer.
    `local`: it is about days, and the day begins when it does for the customer. `dated`: it reads a date.
    """

    kinds: tuple[Kind, ...]
    operand: Callable[[Any], Any]
    build: Callable[[Any], Check]
    absent: bool = False
    costly: bool = False
    local: bool = False
    dated: bool = False


# -- operands -----------------------------------------------------------------------------------------------------


def _scalar(operand: Any) -> Any:
    if isinstance(operand, date) and not isinstance(operand, datetime):
        return operand.isoformat()
    if not isinstance(operand, str | int | float) or is_nan(operand):
        raise ValueError(f"takes a text, a number or true/false, not {kind_in_words(operand)}")
    return operand


def _scalars(operand: Any) -> tuple[Any, ...]:
    if not isinstance(operand, list) or not operand:
        raise ValueError(f"takes a list such as [PL, DE], not {kind_in_words(operand)}")
    if len(operand) > MAX_LIST:
        raise ValueError(f"takes at most {MAX_LIST} values, got {len(operand)}; use a segment for long lists")
    return tuple(map(_scalar, operand))


def a_number(operand: Any) -> Any:
    """An operand that is a number. Raises ValueError that says what it is instead."""
    if isinstance(operand, bool) or not isinstance(operand, int | float) or is_nan(operand):
        raise ValueError(f"takes a number, not {kind_in_words(operand)}")
    return operand


def _range(operand: Any) -> tuple[Any, Any]:
    if not isinstance(operand, list) or len(operand) != 2:
        raise ValueError("takes two numbers, as in [10, 20]")
    low, high = map(a_number, operand)
    if low > high:
        raise ValueError(f"takes the lower number first: [{high}, {low}]")
    return low, high


def _text(operand: Any) -> str:
    if not isinstance(operand, str) or not operand:
        raise ValueError(f"takes a text, not {kind_in_words(operand)}")
    return operand


def _folded(operand: Any) -> str:
    return same_in_any_case(_text(operand))


def _texts(operand: Any) -> tuple[str, ...]:
    return tuple(map(_text, _scalars(operand)))


def _pattern(operand: Any) -> Any:
    text = _text(operand)
    if len(text) > MAX_PATTERN:
        raise ValueError(f"takes a pattern of at most {MAX_PATTERN} characters, got {len(text)}")
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(text, options=options)
    except re2.error as error:
        reason = error.args[0].decode() if isinstance(error.args[0], bytes) else error.args[0]
        raise ValueError(f"takes a regular expression (RE2, without look-around): {reason}") from error


def _flag(operand: Any) -> bool:
    if not isinstance(operand, bool):
        raise ValueError(f"takes true or false, not {kind_in_words(operand)}")
    return operand


@dataclass(frozen=True, slots=True)
class Relative:
    """A moment or a day that is so far from now, as it was written."""

    span: timedelta
    said: str

    def __str__(self) -> str:
        return self.said


_LONGEST = timedelta(days=36_525)
"""A hundred years: so far from now there is always a date."""
_DAYS = {"yesterday": timedelta(days=-1), "today": timedelta(), "tomorrow": timedelta(days=1)}
_FROM_NOW = re.compile(r"in (\w+)|(\w+) ago")


def _relative(operand: Any) -> Relative | None:
    """`in 7d` and `7d ago`; None for anything else."""
    found = _FROM_NOW.fullmatch(operand) if isinstance(operand, str) else None
    if found is None:
        return None
    span = _span(found[1] or found[2])
    return Relative(span if found[1] else -span, operand)


def _span(operand: Any) -> timedelta:
    span = parse_duration(operand)
    if span > _LONGEST:
        raise ValueError(f"takes at most {_LONGEST.days}d, got {operand}")
    return span


def _moment(operand: Any) -> datetime | Relative:
    if operand == "now":
        return Relative(timedelta(), "now")
    moment = read_date(operand.isoformat() if isinstance(operand, date) else operand) or _relative(operand)
    if moment is None:
        raise ValueError("takes a date (2026-11-20 or 2026-11-20T09:00:00Z), now, in 7d or 7d ago")
    return moment


def _near_day(operand: Any) -> Relative:
    near = Relative(_DAYS[operand], operand) if isinstance(operand, str) and operand in _DAYS else _relative(operand)
    if near is None or near.span % timedelta(days=1):
        raise ValueError("takes today, tomorrow, yesterday, in 7d or 7d ago")
    return near


def _day(operand: Any) -> date | Relative:
    written = operand.isoformat() if isinstance(operand, date) else operand
    day = read_date(written)
    try:
        if day is None:
            return _near_day(operand)
        return day.date() if len(trimmed(written)) == _LENGTH_OF_DATE else day
    except ValueError as error:
        raise ValueError("takes a date such as 2026-11-20, today, tomorrow, yesterday, in 7d or 7d ago") from error


# -- tests --------------------------------------------------------------------------------------------------------


def _among(operands: tuple[Any, ...], *, wanted: bool) -> Check:
    keys, types, kinds = frozenset(map(equality_key, operands)), types_of(operands), kinds_of(operands)

    def check(value: Any, _: datetime) -> Answer | None:
        if type(value) in types:
            return (equality_key(value) in keys) is wanted
        return unfit(value, kinds)

    return check


def _is(operand: Any) -> Check:
    return _among((operand,), wanted=True)


def _is_not(operand: Any) -> Check:
    return _among((operand,), wanted=False)


def _is_any_case(operand: str) -> Check:
    wanted = same_in_any_case(operand)
    return _on_text(lambda value: same_in_any_case(value) == wanted)


def _in_any_case(operand: tuple[str, ...]) -> Check:
    wanted = frozenset(map(same_in_any_case, operand))
    return _on_text(lambda value: same_in_any_case(value) in wanted)


def _on_number(test: Callable[[Any], bool]) -> Check:
    def check(value: Any, _: datetime) -> Answer | None:
        kind = type(value)
        return test(value) if kind is int or kind is float else unfit(value, "a number")

    return check


def _on_text(test: Callable[[str], Any]) -> Check:
    def check(value: Any, _: datetime) -> Answer | None:
        return bool(test(value)) if type(value) is str else unfit(value, "a text")

    return check


def _contains(operand: Any) -> Check:
    key, types, kinds = equality_key(operand), types_of((operand,)), kinds_of((operand,))

    def among(items: list[Any]) -> Answer:
        odd: Failure | None = None
        for item in items:
            if type(item) in types:
                if equality_key(item) == key:
                    return True
            elif odd is None and item is not None:
                odd = unfit(item, kinds)
        return Failure(f"needs items that are {kinds}, {odd.reason.partition(', ')[2]}") if odd else False

    def check(value: Any, _: datetime) -> Answer | None:
        if type(value) is list:
            return among(value)
        if type(value) is str and isinstance(operand, str):
            return operand in value
        return unfit(value, f"{kinds} or a list" if isinstance(operand, str) else "a list")

    return check


def _on_date(test: Callable[[datetime, datetime], bool]) -> Check:
    def check(value: Any, now: datetime) -> Answer | None:
        moment = _read_date(value) if type(value) is str else value if isinstance(value, datetime) else None
        return unfit(value, "a date") if moment is None else test(moment, now)

    return check


def _before(end: datetime | Relative) -> Check:
    if isinstance(end, Relative):
        span = end.span
        return _on_date(lambda value, now: value < now + span)
    return _on_date(lambda value, _: value < end)


def _after(start: datetime | Relative) -> Check:
    if isinstance(start, Relative):
        span = start.span
        return _on_date(lambda value, now: value > now + span)
    return _on_date(lambda value, _: value > start)


def _on(day: date | Relative) -> Check:
    if isinstance(day, Relative):
        return _on_day(day.span, operator.eq)
    if isinstance(day, datetime):
        return _on_date(lambda value, _: value.astimezone(day.tzinfo).date() == day.date())
    return _on_day(timedelta(), lambda value, _: value == day)


def _on_day(span: timedelta, test: Callable[[date, date], bool]) -> Check:
    """`test` gets the value's day and the day so far from now, both where `now` is. A date without time is a day."""

    def check(value: Any, now: datetime) -> Answer | None:
        moment = _read_date(value) if type(value) is str else None
        if moment is None:
            return unfit(value, "a date")
        try:
            day = moment if len(trimmed(value)) == _LENGTH_OF_DATE else moment.astimezone(now.tzinfo)
        except OverflowError:  # the first or the last day that there is
            return Failure("needs a date that is a day everywhere")
        return test(day.date(), (now + span).date())

    return check


def _is_set(wanted: bool) -> Check:
    def check(value: Any, _: datetime) -> Answer | None:
        if type(value) is str:
            return None if is_blank(value) else wanted
        return Failure(str(value)) if type(value) is Misfit else wanted

    return check


def _same_day_of_year(day: date, wanted: date) -> bool:
    """Born on 29 February is 28 February in other years."""
    month_and_day = (day.month, day.day)
    if month_and_day == (2, 29) and not _is_leap(wanted.year):
        month_and_day = (2, 28)
    return (wanted.month, wanted.day) == month_and_day


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


_DATES_KEPT = 4096
"""Texts whose moment is remembered: days come again and again."""
_LENGTH_OF_DATE = len("2026-11-20")
_DATE_ONLY = re.compile(r"\d{4}-\d{2}-\d{2}")


def read_date(value: Any) -> datetime | None:
    """A `YYYY-MM-DD` (midnight UTC) or RFC 3339 text as a moment with an offset; None for anything else."""
    return _read_date(value) if isinstance(value, str) else None


@lru_cache(_DATES_KEPT)
def _read_date(value: str) -> datetime | None:
    value = trimmed(value)
    if not _DATE_ONLY.match(value):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


SCALARS: tuple[Kind, ...] = ("text", "number", "boolean")
"""Kinds of which one value can be equal to another."""
COMPARING = ("is", "is_not", "in", "not_in", "contains")
"""Tests that take operands of every such kind, so that it has to be the field's."""

PREDICATES: dict[str, Predicate] = {
    "is": Predicate(SCALARS, _scalar, _is),
    "is_not": Predicate(SCALARS, _scalar, _is_not, absent=True),
    "in": Predicate(SCALARS, _scalars, partial(_among, wanted=True)),
    "not_in": Predicate(SCALARS, _scalars, partial(_among, wanted=False), absent=True),
    "at_least": Predicate(("number",), a_number, lambda low: _on_number(partial(operator.le, low))),
    "at_most": Predicate(("number",), a_number, lambda high: _on_number(partial(operator.ge, high))),
    "more_than": Predicate(("number",), a_number, lambda low: _on_number(partial(operator.lt, low))),
    "less_than": Predicate(("number",), a_number, lambda high: _on_number(partial(operator.gt, high))),
    "between": Predicate(("number",), _range, lambda ends: _on_number(lambda value: bool(ends[0] <= value <= ends[1]))),
    "is_any_case": Predicate(("text",), _text, _is_any_case, costly=True),
    "in_any_case": Predicate(("text",), _texts, _in_any_case, costly=True),
    "contains": Predicate(("text", "list"), _scalar, _contains, costly=True),
    "starts_with": Predicate(("text",), _text, lambda start: _on_text(lambda value: value.startswith(start))),
    "ends_with": Predicate(("text",), _text, lambda end: _on_text(lambda value: value.endswith(end))),
    "contains_any_case": Predicate(
        ("text",), _folded, lambda part: _on_text(lambda value: part in same_in_any_case(value)), costly=True
    ),
    "starts_with_any_case": Predicate(
        ("text",),
        _folded,
        lambda start: _on_text(lambda value: same_in_any_case(value).startswith(start)),
        costly=True,
    ),
    "ends_with_any_case": Predicate(
        ("text",), _folded, lambda end: _on_text(lambda value: same_in_any_case(value).endswith(end)), costly=True
    ),
    "matches": Predicate(("text",), _pattern, lambda pattern: _on_text(pattern.search), costly=True),
    "before": Predicate(("text",), _moment, _before, costly=True, dated=True),
    "after": Predicate(("text",), _moment, _after, costly=True, dated=True),
    "on": Predicate(("text",), _day, _on, costly=True, local=True, dated=True),
    "within_last": Predicate(
        ("text",), _span, lambda span: _on_date(lambda value, now: now - span <= value <= now), costly=True, dated=True
    ),
    "within_next": Predicate(
        ("text",), _span, lambda span: _on_date(lambda value, now: now <= value <= now + span), costly=True, dated=True
    ),
    "day_is": Predicate(
        ("text",), _near_day, lambda near: _on_day(near.span, _same_day_of_year), costly=True, local=True, dated=True
    ),
    "is_set": Predicate(("text", "number", "boolean", "list", "object"), _flag, _is_set),
}
"""Name to test. `is_set` is the one test that a missing value can pass, by `is_set: false`."""


@cache
def tests_for(kind: Kind) -> tuple[str, ...]:
    """The tests that make sense for a kind of field, in the order they are listed."""
    return tuple(name for name, test in PREDICATES.items() if kind == "any" or kind in test.kinds)
