"""Fields of the builder's form that stand for places in the document: shown from it, and written back into it."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from console.control.document_edit import GONE
from console.web.builder.records import FieldKind, FormField, Takes
from schemas.formats.paths import path_text

Place = tuple[str | int, ...]
Holds = Literal["text", "number", "list", "flag"]
"""The kind of value at a place: a text or a date, a whole number, texts with commas between them, true or false."""

_FLAGS = {"true": True, "false": False}
_NOWHERE = object()


@dataclass(frozen=True, slots=True)
class Bound:
    """A field for the value at a place of the document; `at` may lead through mappings that are not there yet."""

    at: Place
    label: str
    hint: str = ""
    holds: Holds = "text"
    choices: Sequence[tuple[str, str]] = ()
    nothing: str = ""
    known: Sequence[str] = ()
    is_long: bool = False
    named: str = ""
    takes: Takes = ""

    @property
    def name(self) -> str:
        """The name of its input: `named`, where a part of its place may hold any character."""
        return self.named or "_".join(map(str, self.at))

    @property
    def path(self) -> str:
        """Its place as problems name it."""
        return path_text(self.at)

    def fits(self, values: Mapping[str, Any]) -> bool:
        """True where what stands there can be shown in a field, and nothing else stands in its way."""
        found = found_at(values, self.at)
        return found is None or (found is not _NOWHERE and _read(_shown(found, self.holds), self.holds) == _text(found))

    def field(self, values: Mapping[str, Any]) -> FormField:
        """The field with what is there now."""
        kind: FieldKind = "choice" if self.choices or self.holds == "flag" else "lines" if self.is_long else "text"
        choices = self.choices or ([("true", "yes"), ("false", "no")] if self.holds == "flag" else ())
        value = _shown(found_at(values, self.at), self.holds)
        if kind == "choice" and value and value not in {one for one, _ in choices}:
            choices = [*choices, (value, value)]
        return FormField(
            self.name, self.label, value, self.hint, kind, choices, self.nothing, self.known, self.path, self.takes
        )


def found_at(values: Any, at: Place) -> Any:
    """The value at a place; None where nothing is, `_NOWHERE` where something else stands in the way."""
    for step in at:
        if values is None:
            return None
        if isinstance(step, int):
            if not isinstance(values, list) or step >= len(values):
                return _NOWHERE
            values = values[step]
        elif isinstance(values, Mapping):
            values = values.get(step)
        else:
            return _NOWHERE
    return values


def changes(bounds: Iterable[Bound], values: Mapping[str, Any], form: Mapping[str, str]) -> dict[str, Any]:
    """The keys at the top whose values the fields of a form change; what they leave as it is shown stays."""
    made: dict[str, Any] = {}
    for bound in bounds:
        if bound.name not in form or not bound.fits(values):
            continue
        given = form[bound.name].replace("\r\n", "\n")
        given = given.rstrip("\n") if bound.is_long else given.strip()
        if given == _shown(found_at(values, bound.at), bound.holds).rstrip("\n"):
            continue
        top = str(bound.at[0])
        whole = made[top] if top in made else copy.deepcopy(values.get(top))
        made[top] = put(None if whole is GONE else whole, bound.at[1:], _read(given, bound.holds))
    return made


def put(whole: Any, at: Place, value: Any) -> Any:
    """A value with another one at a place within it, None for none; mappings with nothing left are gone."""
    if not at:
        return GONE if value is None else value
    if isinstance(at[0], int):
        items = list(whole)
        below = put(items[at[0]], at[1:], value)
        items[at[0]] = {at[1]: {}} if below is GONE else below  # an entry stays, with nothing in it
        return items
    mapping = dict(whole or {})
    below = put(mapping.get(at[0]), at[1:], value)
    if below is GONE:
        mapping.pop(at[0], None)
    else:
        mapping[at[0]] = below
    return mapping or GONE


def _shown(value: Any, holds: Holds) -> str:
    """A value as the field shows it; empty for none."""
    if value is None or value is _NOWHERE:
        return ""
    if holds == "list" and isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


def _read(given: str, holds: Holds) -> Any:
    """The value that a field says, None for an empty one; what is not of its kind stays a text, and is told of."""
    if not given:
        return None
    match holds:
        case "number":
            return int(given) if given.removeprefix("-").isdecimal() and given.isascii() else given
        case "list":
            return [one.strip() for one in given.split(",") if one.strip()]
        case "flag":
            return _FLAGS.get(given, given)
        case _:
            return given


def _text(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date | datetime) else value
