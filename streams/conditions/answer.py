"""The kind of a value, and what a test says of one that it cannot judge: an error, never "not equal"."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, Protocol
from unicodedata import normalize

from schemas.decision import Check
from schemas.formats.blank import is_blank
from streams.conditions.language import reads_as_other

Kind = Literal["text", "number", "boolean", "list", "object", "any"]
"""The kind of a field; `any` for metadata and fields of upstream's own. Dates are text."""

_LONGEST_SHOWN = 40
_LONGEST_SEEN = 80
_MOST_LISTED = 20
_KINDS: dict[type, Kind] = {
    str: "text", int: "number", float: "number", bool: "boolean", list: "list", dict: "object", datetime: "text"
}  # fmt: skip
_TYPES: dict[Kind, frozenset[type]] = {
    "text": frozenset({str}),
    "number": frozenset({int, float}),
    "boolean": frozenset({bool}),
}


@dataclass(frozen=True, slots=True)
class Failure:
    """A test that could not be made; neither true nor false, and `not` of it is still a failure."""

    reason: str


Answer = bool | Failure
Recorder = Callable[[Check], None]
"""Told of each test that is made."""


class Run(Protocol):
    """A compiled condition: the answer for what it is asked about, a moment and perhaps a recorder."""

    def __call__(self, about: Any, now: datetime, record: Recorder | None = None, /) -> Answer: ...


@dataclass(frozen=True, slots=True)
class Misfit:
    """The value of a path that would go on inside a value that has nothing inside.

    With `why`, a value that nobody knows.
    """

    at: str
    kind: Kind
    why: str = ""

    def __str__(self) -> str:
        return self.why or f"{self.at} is {a_kind(self.kind)} and has nothing inside"


def misfit(value: Any, at: str) -> Misfit | None:
    """For a value on a path that is not a mapping. An empty list is an empty mapping, and a blank text is missing."""
    if value is None or value == [] or (isinstance(value, str) and is_blank(value)):
        return None
    return Misfit(at, kind_of(value))


def kind_of(value: Any) -> Kind:
    """The kind of a value that is there."""
    return _KINDS.get(type(value), "any")


def types_of(operands: tuple[Any, ...]) -> frozenset[type]:
    """The types of values that may be compared with some operands."""
    return frozenset[type]().union(*(_TYPES.get(kind_of(operand), frozenset()) for operand in operands))


def kinds_of(operands: tuple[Any, ...]) -> str:
    """The kinds of some operands, in words."""
    return " or ".join(dict.fromkeys(a_kind(kind_of(operand)) for operand in operands))


def a_kind(kind: str) -> str:
    """With its article."""
    return {"any": "something else", "boolean": "true or false"}.get(kind, f"a{'n' * (kind[0] in 'aeiou')} {kind}")


def with_kind(value: Any) -> str:
    """A value as explanations show it: `"1" (text)` and `1 (number)` are not the same."""
    if isinstance(value, Misfit):
        return str(value)
    kind = kind_of(value)
    if kind not in _TYPES:
        return a_kind(kind)
    if kind != "text":
        return f"{str(value).lower()[:_LONGEST_SHOWN]} ({kind})"
    shown = "".join(map(_visible, value[:_LONGEST_SHOWN]))
    return f'"{shown}{"…" * (len(value) > _LONGEST_SHOWN)}" ({kind})'


def seen(value: Any) -> str:
    """A value as explanations show what a test has seen."""
    if value is None:
        return "not set"
    if isinstance(value, Misfit):
        return str(value)
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, str) and reads_as_other(value):
        return with_kind(value)
    text = _shown_list(value) if isinstance(value, list) else str(value)
    return text if len(text) <= _LONGEST_SEEN else text[: _LONGEST_SEEN - 1] + "…"


def _shown_list(items: list[Any]) -> str:
    """A short list of texts as it is: who reads it looks for one of them."""
    if 0 < len(items) <= _MOST_LISTED and all(type(item) is str for item in items):
        return f"[{', '.join(items)}]"
    return f"{len(items)} items"


def _visible(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()


def unfit(value: Any, wanted: str) -> Failure | None:
    """The answer of a test for a value of another kind than the one that is wanted. None for a blank: it is missing."""
    if isinstance(value, str) and is_blank(value):
        return None
    return Failure(str(value) if isinstance(value, Misfit) else f"needs {wanted}, the value is {with_kind(value)}")


def equality_key(value: Any) -> Any:
    """A hashable form under which equal values are equal and `true` is not 1; None for what equals nothing."""
    if isinstance(value, bool):
        return ("boolean", value)
    return value if isinstance(value, str | int | float) else None


def is_nan(value: Any) -> bool:
    """True for the number that is not one."""
    return isinstance(value, float) and math.isnan(value)


def same_in_any_case(text: str) -> str:
    """The same for capitals, and for a letter with its mark whether that is one character or two."""
    return text.lower() if text.isascii() else normalize("NFC", text.casefold())


def added_up(numbers: list[int | float]) -> int | float:
    """As people add up decimals: 0.1 and 0.2 are 0.3."""
    total = sum(numbers)
    if type(total) is int or not math.isfinite(total):
        return total
    return float(sum(Decimal(repr(number)) for number in numbers))
