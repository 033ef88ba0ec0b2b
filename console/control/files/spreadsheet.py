"""Forms that a spreadsheet gives to codes: numbers, dates, errors and quotes where texts stood.

A sheet takes `123456789012` for a number and writes 1.23457E+11, takes `10-12` for a day, keeps fifteen digits of a
long number, and drops zeros in front. What has such a form is not what was once made, so it is refused, unless it is
meant so. Forms as Excel, LibreOffice, Numbers, Google Sheets and pandas write them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

_MOST_DIGITS = 15
"""A spreadsheet's numbers are doubles, of which it keeps so many digits; the others become zeros."""
_CERTAIN_ZEROS = 3
"""So many zeros behind all long numbers of a file are no chance: one in a thousand."""
_LOCALES = ("en", "cs", "da", "de", "es", "fi", "fr", "hu", "it", "nb", "nl", "pl", "pt", "ro", "sv", "tr")

_PLAIN = re.compile(r"[A-Z][A-Z0-9_-]*")
"""Most codes; none of the forms below is one."""
_POWER = re.compile(r"[+-]?\d+(?:[.,]\d*)?[eE][+-]\d+|[+-]?\d+[.,]\d+[eE]\d+")
_DECIMAL = re.compile(r"[+-]?\d+[.,]0+")
_GROUPED = re.compile(r"[+-]?\d{1,3}([.,'\u2019 \u00a0\u2009\u202f])(?:\d{2,3}\1)*\d{3}(?:[.,]\d+)?")
_DATE = re.compile(r"(\d{1,4})[./-](\d{1,2})[./-](\d{1,4})(?:[ T]\d{1,2}:\d{2}.*)?")
_NAMED_DATE = re.compile(
    r"\d{1,2}[-./ ]{1,2}([^\W\d]{2,9})\.?(?:[-./ ]{1,2}\d{2,4})?|([^\W\d]{2,9})\.?[-./ ]{1,2}\d{1,4}"
)
_ERROR = re.compile(r"#(?:N/A|REF!|VALUE!|NAME\?|DIV/0!|NUM!|NULL!|SPILL!|CALC!|ERROR!|#+)")
_WORDS = frozenset({"nan", "NaN", "NULL", "null", "None", "<NA>", "N/A", "#N/A"})
_QUOTES = "\"'\u2018\u2019\u201a\u201c\u201d\u201e\u201f\u00ab\u00bb"


def spreadsheet_form(code: str) -> str:
    """The form of a code that a spreadsheet has changed; empty where it does not look so."""
    if (code.isascii() and code.isalnum()) or _PLAIN.fullmatch(code):
        return "is what a program writes for no value" if code in _WORDS else ""
    return next((form for looks, form in _FORMS if looks(code)), "")


def damaged(text: str) -> str:
    """The form of an id, a number or an address of which a spreadsheet has lost something; empty where it has not."""
    return next((form for looks, form in _LOST if looks(text)), "")


def _is_date(code: str) -> bool:
    numbers = _DATE.fullmatch(code)
    if numbers:
        first, second, third = numbers.groups()
        if len(first) == 4:
            return _day_and_month(third, second)
        in_order = _day_and_month(first, second) or _day_and_month(second, first)
        return len(first) < 3 and len(third) in (2, 4) and in_order
    named = _NAMED_DATE.fullmatch(code)
    return named is not None and (named[1] or named[2]) in _months()


def _day_and_month(day: str, month: str) -> bool:
    return len(day) < 3 and 1 <= int(day) <= 31 and 1 <= int(month) <= 12


@cache
def _months() -> frozenset[str]:
    """The short names of months as spreadsheets write them; in capitals they are more likely of a code's own."""
    from babel.dates import get_month_names

    names = {
        name.rstrip(".")
        for locale in _LOCALES
        for context in ("format", "stand-alone")
        for name in get_month_names("abbreviated", context, locale).values()
    }
    return frozenset(name for name in names if not name.isupper() and not name.isdigit())


_FORMS: tuple[tuple[Callable[[str], object], str], ...] = (
    (_POWER.fullmatch, "is a number as a spreadsheet shortens long ones (1.23E+11), and its digits are lost"),
    (_DECIMAL.fullmatch, "is a number with decimals, as a program writes it that took codes for numbers"),
    (_is_date, "is a date, as a spreadsheet makes it of codes like 10-12"),
    (_GROUPED.fullmatch, "is a number with thousands separators"),
    (_ERROR.fullmatch, "is an error of a spreadsheet"),
    (_WORDS.__contains__, "is what a program writes for no value"),
    (lambda code: code.startswith("="), "is a formula"),
    (lambda code: code[:1] in _QUOTES or code[-1:] in _QUOTES, "stands in quotes of its own"),
    (lambda code: ";" in code, "holds a semicolon; fields are separated by commas"),
)
_LOST = tuple(one for one in _FORMS if one[0] in {_POWER.fullmatch, _DECIMAL.fullmatch, _ERROR.fullmatch})
REMEDY = "Format the column as text before codes are pasted into it, or take the file of who made the codes"
"""The way out."""


@dataclass(slots=True)
class DigitCodes:
    """The codes of a file that are digits alone: what they tell only together."""

    shortest: int = 0
    longest: int = 0
    first_short: int = 0
    """The line of the first that is shorter than the one before."""
    zero_in_front: bool = False
    rounded: list[int] = field(default_factory=list)
    """Lines of the first that have zeros after their fifteenth digit."""
    _zeros: int = 0
    _exact: bool = False

    def add(self, line: int, code: str) -> None:
        """Look at one more code."""
        if not (code.isascii() and code.isdigit()):
            return
        length = len(code)
        if length < self.longest and not self.first_short:
            self.first_short = line
        self.longest = max(self.longest, length)
        self.shortest = min(self.shortest or length, length)
        self.zero_in_front = self.zero_in_front or code[0] == "0"
        if length > _MOST_DIGITS and not self._exact:
            self._long(line, code)

    def _long(self, line: int, code: str) -> None:
        behind = code[_MOST_DIGITS:]
        if behind.strip("0"):
            self._exact, self.rounded = True, []
            return
        self._zeros += len(behind)
        if len(self.rounded) < _NAMED:
            self.rounded.append(line)

    @property
    def are_rounded(self) -> bool:
        """True where a spreadsheet has taken the last digits of the long ones."""
        return not self._exact and self._zeros >= _CERTAIN_ZEROS

    @property
    def may_lack_zeros(self) -> bool:
        """True where they are of several lengths and none has a zero in front."""
        return self.shortest < self.longest and not self.zero_in_front


_NAMED = 10
