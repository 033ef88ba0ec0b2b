"""The condition language as a tree: closed, frozen, and bounded in depth and size."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal, assert_never

from schemas.formats.durations import format_duration
from schemas.formats.paths import Names, path_text

MAX_DEPTH = 16
MAX_NODES = 256
MAX_LIST = 10_000
MAX_PATTERN = 500

Path = Names
SEGMENTS: Path = ("customer", "segments")
"""The segments that a customer is in, which no profile holds."""
_NUMBER = re.compile(r"[-+]?[0-9.,]+")
_WORDS = frozenset({"true", "false", "null"})


@dataclass(frozen=True, slots=True)
class Test:
    """A path on the left, a named test with its operand on the right."""

    path: Path
    name: str
    operand: Any

    def __str__(self) -> str:
        return f"{path_text(self.path)} {self.name} {_shown(self.operand)}"


Quantifier = Literal["any_item", "every_item", "no_item"]
"""The share of a list's items that have to fulfil a condition."""

Measure = Literal["count", "sum"]
"""A number made of a list's items: how many there are, or a field of theirs added up."""


@dataclass(frozen=True, slots=True)
class Items:
    """True where as many items of the list at `path` as `name` says fulfil `condition`, whose paths start at the item.

    A list that is not there has no item: `no_item` is true of it, the others are false. Of an empty one likewise.
    """

    path: Path
    name: Quantifier
    condition: Condition

    def __str__(self) -> str:
        return f"{path_text(self.path)} {self.name} ({self.condition})"


@dataclass(frozen=True, slots=True)
class Total:
    """True where a number made of the items of the list at `path` passes every one of `tests`.

    Only items that fulfil `where` count, if it is there. `of` is the field that `sum` adds up; an item without it adds
    nothing. A list that is not there is an empty one.
    """

    path: Path
    name: Measure
    of: Path
    where: Condition | None
    tests: tuple[Test, ...]

    def __str__(self) -> str:
        of = f" of {path_text(self.of)}" if self.of else ""
        where = f" where ({self.where})" if self.where else ""
        tests = ", ".join(f"{test.name} {_shown(test.operand)}" for test in self.tests)
        return f"{path_text(self.path)} {self.name}{of}{where} {tests}"


@dataclass(frozen=True, slots=True)
class All:
    """True where every part is."""

    parts: tuple[Condition, ...]

    def __str__(self) -> str:
        return "all of " + "; ".join(map(str, self.parts))


@dataclass(frozen=True, slots=True)
class AnyOf:
    """True where at least one part is."""

    parts: tuple[Condition, ...]

    def __str__(self) -> str:
        return "any of " + "; ".join(map(str, self.parts))


@dataclass(frozen=True, slots=True)
class Not:
    """True where the part is false; an error stays an error."""

    part: Condition

    def __str__(self) -> str:
        return f"not ({self.part})"


Calendar = Literal["today", "this week", "this month", "this year"]
"""A stretch that has begun with a day of the project's and ends now. A week begins on Monday."""

Tally = Literal["count", "sum", "first", "last"]
"""What is made of a customer's events: how many, a field of theirs added up, the time of the first or the last."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Events of customers that are counted: those of a type that fulfil `when`, each with its field `of`.

    `within` is how far back they count, None for ever. `key` is the same for behaviours that are the same.
    """

    key: str
    event: str
    when: Condition | None
    of: Path
    within: timedelta | Calendar | None

    def __str__(self) -> str:
        when = f" with {self.when}" if self.when else ""
        within = f" within {_shown(self.within)}" if self.within else ""
        return f"{self.event}{when}{within}"


@dataclass(frozen=True, slots=True)
class Happened:
    """True where what `tally` makes of a customer's events passes every one of `tests`."""

    behaviour: Behaviour
    tally: Tally
    tests: tuple[Test, ...]

    def __str__(self) -> str:
        of = f" of {path_text(self.behaviour.of)}" if self.tally == "sum" else ""
        tests = ", ".join(f"{test.name} {_shown(test.operand)}" for test in self.tests)
        return f"events {self.behaviour}: {self.tally}{of} {tests}"


Condition = Test | Items | Total | Happened | All | AnyOf | Not


def names_path(condition: Condition | None, path: Path) -> bool:
    """True where a condition asks about a path."""
    match condition:
        case Test(asked) | Items(asked) | Total(asked):
            return asked == path
        case Not(part):
            return names_path(part, path)
        case All(parts) | AnyOf(parts):
            return any(names_path(part, path) for part in parts)
        case Happened() | None:
            return False
        case _:
            assert_never(condition)


def reads_as_other(text: str) -> bool:
    """True where a text would be taken for another kind of value, or for nothing, without quotes."""
    first, last = text[:1], text[-1:]
    if first.isalpha() and not last.isspace():
        return text.lower() in _WORDS
    return not text or first.isspace() or last.isspace() or _NUMBER.fullmatch(text) is not None


def _shown(operand: Any) -> str:
    if isinstance(operand, list | tuple | frozenset):
        return "[" + ", ".join(map(_shown, operand)) + "]"
    if isinstance(operand, str) and reads_as_other(operand):
        return f'"{operand}"'
    if isinstance(operand, timedelta):
        return format_duration(int(operand.total_seconds()))
    if isinstance(operand, date):
        return operand.isoformat()
    return str(operand).lower() if isinstance(operand, bool) else str(operand)
