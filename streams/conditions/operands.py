"""Operands of tests: how each kind is read from what was written, and what editors are told of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import re2

from schemas.formats.blank import trimmed
from schemas.formats.durations import DURATION_PATTERN
from schemas.record import JsonObject
from streams.conditions.answer import is_nan, same_in_any_case
from streams.conditions.dates import LENGTH_OF_DATE, NAMED_DAYS, Relative, read_date, relative, span_of
from streams.conditions.language import MAX_LIST, MAX_PATTERN
from streams.values.wording import invalid


@dataclass(frozen=True, slots=True)
class Operand:
    """A kind of operand.

    `read` turns what was written into what a test takes, or raises ValueError that says what is allowed; `schema` is
    the same as JSON Schema, as far as that can say it.
    """

    read: Callable[[Any], Any]
    schema: JsonObject


def _scalar(operand: Any) -> Any:
    if isinstance(operand, date) and not isinstance(operand, datetime):
        return operand.isoformat()
    if not isinstance(operand, str | int | float) or is_nan(operand):
        raise ValueError(invalid(operand, "a text, a number, true or false"))
    return operand


def _scalars(operand: Any) -> tuple[Any, ...]:
    if not isinstance(operand, list) or not operand:
        raise ValueError(invalid(operand, "a list such as [PL, DE]"))
    if len(operand) > MAX_LIST:
        raise ValueError(f"a list of {len(operand)} is not valid: must be at most {MAX_LIST}; use a segment for more")
    return tuple(map(_scalar, operand))


def _number(operand: Any) -> Any:
    if isinstance(operand, bool) or not isinstance(operand, int | float) or is_nan(operand):
        raise ValueError(invalid(operand, "a number"))
    return operand


def _range(operand: Any) -> tuple[Any, Any]:
    if not isinstance(operand, list) or len(operand) != 2:
        raise ValueError(invalid(operand, "two numbers, as in [10, 20]"))
    low, high = map(_number, operand)
    if low > high:
        raise ValueError(f"[{low}, {high}] is not valid: must be the lower number first, as in [{high}, {low}]")
    return low, high


def _text(operand: Any) -> str:
    if not isinstance(operand, str) or not operand:
        raise ValueError(invalid(operand, "a text"))
    return operand


def _folded(operand: Any) -> str:
    return same_in_any_case(_text(operand))


def _texts(operand: Any) -> tuple[str, ...]:
    return tuple(map(_text, _scalars(operand)))


def _pattern(operand: Any) -> Any:
    text = _text(operand)
    if len(text) > MAX_PATTERN:
        raise ValueError(invalid(text, f"a pattern of at most {MAX_PATTERN} characters"))
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(text, options=options)
    except re2.error as error:
        reason = error.args[0].decode() if isinstance(error.args[0], bytes) else error.args[0]
        allowed = f"a regular expression (RE2, without look-around): {reason}"
        raise ValueError(invalid(text, allowed)) from error


def _flag(operand: Any) -> bool:
    if not isinstance(operand, bool):
        raise ValueError(invalid(operand, "true or false"))
    return operand


def _moment(operand: Any) -> datetime | Relative:
    if operand == "now":
        return Relative(timedelta(), "now")
    moment = read_date(operand.isoformat() if isinstance(operand, date) else operand) or relative(operand)
    if moment is None:
        raise ValueError(invalid(operand, "a date (2026-11-20 or 2026-11-20T09:00:00Z), now, in 7d or 7d ago"))
    return moment


def _near_day(operand: Any) -> Relative:
    near = (
        Relative(NAMED_DAYS[operand], operand)
        if isinstance(operand, str) and operand in NAMED_DAYS
        else relative(operand)
    )
    if near is None or near.span % timedelta(days=1):
        raise ValueError(invalid(operand, "today, tomorrow, yesterday, in 7d or 7d ago"))
    return near


def _day(operand: Any) -> date | Relative:
    written = operand.isoformat() if isinstance(operand, date) else operand
    day = read_date(written)
    try:
        if day is None:
            return _near_day(operand)
        return day.date() if len(trimmed(written)) == LENGTH_OF_DATE else day
    except ValueError as error:
        allowed = "a date such as 2026-11-20, today, tomorrow, yesterday, in 7d or 7d ago"
        raise ValueError(invalid(operand, allowed)) from error


_ANY_SCALAR: JsonObject = {"type": ["string", "number", "boolean"]}
_ANY_TEXT: JsonObject = {"type": "string", "minLength": 1}
_ANY_NUMBER: JsonObject = {"type": "number"}

SCALAR = Operand(_scalar, _ANY_SCALAR)
SCALARS = Operand(_scalars, {"type": "array", "minItems": 1, "items": _ANY_SCALAR})
NUMBER = Operand(_number, _ANY_NUMBER)
RANGE = Operand(_range, {"type": "array", "items": _ANY_NUMBER, "minItems": 2, "maxItems": 2})
TEXT = Operand(_text, _ANY_TEXT)
FOLDED_TEXT = Operand(_folded, _ANY_TEXT)
TEXTS = Operand(_texts, {"type": "array", "minItems": 1, "items": _ANY_TEXT})
PATTERN = Operand(_pattern, _ANY_TEXT)
FLAG = Operand(_flag, {"type": "boolean"})
SPAN = Operand(span_of, {"type": "string", "pattern": f"^{DURATION_PATTERN}$"})
MOMENT = Operand(_moment, _ANY_TEXT)
DAY = Operand(_day, _ANY_TEXT)
NEAR_DAY = Operand(
    _near_day, {"type": "string", "pattern": r"^(today|tomorrow|yesterday|in \d{1,6}[dw]|\d{1,6}[dw] ago)$"}
)
