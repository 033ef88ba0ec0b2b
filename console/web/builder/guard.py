"""The condition of a distribution as rows of a field, a test and a value; what does not fit rows stays as it is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from console.control.document_edit import GONE
from console.control.document_texts import values_of, written
from console.web.builder.records import Button, FormField, Section
from schemas.events.triggers import Trigger
from schemas.formats.paths import path_text, read_names
from streams.conditions.answer import Kind
from streams.conditions.fields import Fields, Found
from streams.conditions.language import SEGMENTS
from streams.conditions.predicates import ITEM_TESTS, PREDICATES, tests_for

KEY = "when"
MODE = "when_mode"
_GROUPS = ("all", "any")
_ANY: Kind = "any"
_DEEP = 3
_MODES = (("all", "all of them hold"), ("any", "one of them holds"))


@dataclass(frozen=True, slots=True)
class Row:
    """One test of one field, its value as people write it in a form."""

    path: str
    test: str
    value: Any


@dataclass(frozen=True, slots=True)
class Kept:
    """A part that has no row, as it is written, and where it stands."""

    source: Any


Part = Row | Kept


@dataclass(frozen=True, slots=True)
class Guard:
    """The parts of a condition, of which all have to hold, or any."""

    mode: str
    parts: tuple[Part, ...]

    def is_same(self, other: Guard) -> bool:
        """True of one that says the same."""
        has_mode = len(self.parts) < 2 or self.mode == other.mode
        return has_mode and len(self.parts) == len(other.parts) and all(map(_same_part, self.parts, other.parts))

    def value(self) -> Any:
        """The same as a document has it; `GONE` where there are no parts."""
        made = [one.source if isinstance(one, Kept) else {one.path: {one.test: one.value}} for one in self.parts]
        if not made:
            return GONE
        return made[0] if len(made) == 1 else {self.mode: made}


def _same_part(one: Part, other: Part) -> bool:
    if isinstance(one, Row) and isinstance(other, Row):
        return (one.path, one.test) == (other.path, other.test) and same(one.value, other.value)
    return one == other


def guard_of(when: Any, fields: Fields) -> Guard:
    """The parts of a condition."""
    if when is None:
        return Guard("all", ())
    if not isinstance(when, Mapping):
        return Guard("all", (Kept(when),))
    for mode in _GROUPS:
        group = when.get(mode)
        if len(when) == 1 and isinstance(group, list) and all(isinstance(one, Mapping) for one in group):
            return Guard(mode, tuple(part for one in group for part in _parts(one, fields, is_split=mode == "all")))
    parts = [part for name, value in when.items() for part in _parts({name: value}, fields, is_split=True)]
    return Guard("all", tuple(parts))


def _parts(source: Mapping[str, Any], fields: Fields, *, is_split: bool) -> tuple[Part, ...]:
    if len(source) != 1:
        return (Kept(source),)
    ((path, value),) = source.items()
    tests = value if isinstance(value, Mapping) else {"in" if isinstance(value, list) else "is": value}
    rows = tuple(Row(path, test, operand) for test, operand in tests.items())
    is_simple = path not in (*_GROUPS, "not") and all(_is_row(one, fields) for one in rows)
    return rows if rows and is_simple and (len(rows) == 1 or is_split) else (Kept(source),)


def _is_row(row: Row, fields: Fields) -> bool:
    return row.test in PREDICATES and _reads_back(shown_value(row, fields), row, fields)


def _reads_back(given: str, row: Row, fields: Fields) -> bool:
    return same(read_value(given.strip(), row.path, row.test, fields), row.value)


def taken(before: Guard, form: Mapping[str, str], fields: Fields, dropped: int | None = None) -> Guard:
    """The condition as a form leaves it: rows that it shows are as they are there, parts without a row stay."""
    parts: list[Part] = []
    for number, part in enumerate(before.parts):
        if number == dropped:
            continue
        row = _row(form, number, fields)
        shown = f"{KEY}_{number}_path" in form
        parts += [part] if isinstance(part, Kept) or not shown else [row] if row else []
    new = _row(form, len(before.parts), fields)
    mode = form.get(MODE, before.mode)
    return Guard(mode if mode in _GROUPS else "all", tuple(parts + ([new] if new else [])))


def _row(form: Mapping[str, str], number: int, fields: Fields) -> Row | None:
    path, test, value = (form.get(f"{KEY}_{number}_{one}", "").strip() for one in ("path", "test", "value"))
    return Row(path, test, read_value(value, path, test, fields)) if path else None


def sections(guard: Guard, fields: Fields, known: Sequence[str]) -> list[Section]:
    """A row for each part, and an empty one."""
    made = []
    for number, part in enumerate((*guard.parts, Row("", "is", ""))):
        remove = Button(f"drop:{number}", "", f"Take condition {number + 1} out")
        if isinstance(part, Kept):
            hint = "This part has no row: change it in the YAML."
            made.append(Section(f"Condition {number + 1}", hint=hint, kept=written(part.source), remove=remove))
            continue
        is_new = number == len(guard.parts)
        row = _fields(part, number, fields, () if is_new else tests_of(part.path, fields), known)
        buttons = (Button("stay", "Add this condition"),) if is_new else ()
        legend = "One more condition" if is_new else f"Condition {number + 1}"
        made.append(Section(legend, row, is_row=True, remove=None if is_new else remove, buttons=buttons))
    first = "It sends only where" if guard.parts else "Without a condition it sends for every event of its trigger."
    mode = FormField(MODE, "Of these conditions", guard.mode, kind="choice", choices=_MODES)
    return [
        Section("Conditions", (mode,) if len(guard.parts) > 1 else (), hint=first if not guard.parts else ""),
        *made,
    ]


def _fields(row: Row, number: int, fields: Fields, tests: Sequence[str], known: Sequence[str]) -> tuple[FormField, ...]:
    named = f"{KEY}_{number}_"
    tests = [*dict.fromkeys((*(tests or _TESTS), row.test))]
    choices = [(one, one.replace("_", " ")) for one in tests]
    value = shown_value(row, fields)
    return (
        FormField(f"{named}path", "Field", row.path, known=known),
        FormField(f"{named}test", "Test", row.test, kind="choice", choices=choices),
        FormField(f"{named}value", "Value", value),
    )


_TESTS = tuple(PREDICATES)


def tests_of(path: str, fields: Fields) -> Sequence[str]:
    """The tests of a field, by its kind."""
    return [one for one in tests_for(kind_of_path(path, fields)) if one not in ITEM_TESTS]


def kind_of_path(path: str, fields: Fields) -> Kind:
    """The kind of value that a path leads to, as far as that is known."""
    try:
        found = fields.find(read_names(path))
    except ValueError:
        return _ANY
    return found.kind if isinstance(found, Found) else _ANY


def fields_of(trigger: Trigger) -> list[str]:
    """The paths that events of a type have, as far as they are known."""
    fields = Fields.of(trigger)
    waiting: list[tuple[str, ...]] = [(name,) for name in fields.names()]
    found = [path_text(SEGMENTS)]
    while waiting:
        path = waiting.pop()
        below = [(*path, name) for name in fields.names(path)] if len(path) < _DEEP else []
        found += [] if below else [path_text(path)]
        waiting += below
    return sorted(found)


# -- values ----------------------------------------------------------------------------------------------------------


def shown_value(row: Row, fields: Fields) -> str:
    """The value of a row as it stands in its field: as it is, lists with commas; as JSON where it would not read so."""
    value = row.value
    plain = ", ".join(map(_plain, value)) if isinstance(value, list) else _plain(value)
    return plain if _reads_back(plain, row, fields) else json.dumps(value, ensure_ascii=False, default=str)


def _plain(value: Any) -> str:
    if isinstance(value, date | datetime):
        return value.isoformat()
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)


def read_value(given: str, path: str, test: str, fields: Fields) -> Any:
    """The value that a field says, of the kind that its test takes; what is not of it stays a text, and is told of."""
    predicate = PREDICATES.get(test)
    takes = predicate.operand.schema.get("type") if predicate else None
    kind = kind_of_path(path, fields)
    if takes == "array":
        found = _yaml(given) if given.startswith("[") else [one.strip() for one in given.split(",") if one.strip()]
        is_number = test == "between"
        return [_scalar(one, "number" if is_number else kind) for one in found] if isinstance(found, list) else given
    wanted: Mapping[str, Kind] = {"number": "number", "boolean": "boolean", "string": "text"}
    return _scalar(given, wanted.get(takes, kind) if isinstance(takes, str) else kind)


def _scalar(given: Any, kind: Kind) -> Any:
    if not isinstance(given, str):
        return given
    read = _yaml(given)
    if given[:1] == '"' and isinstance(read, str):
        return read
    is_number = isinstance(read, int | float) and not isinstance(read, bool)
    match kind:
        case "number":
            return read if is_number else given
        case "boolean":
            return read if isinstance(read, bool) else given
        case "text":
            return given
        case _:  # of a field that nobody described, 007 is a text
            is_plain = str(read) == given
            return read if (is_number and is_plain) or isinstance(read, bool) else given


def _yaml(given: str) -> Any:
    found = values_of(f"value: {given}\n")
    return found[0].get("value", given) if len(found) == 1 and isinstance(found[0], dict) else given


def same(one: Any, other: Any) -> bool:
    """True of two values that a document does not tell apart."""
    if isinstance(other, date | datetime):
        other = other.isoformat()
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)
