"""The fields of a condition: a row for each test, groups set in, and behind each group's parts an empty row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from console.control.document_texts import written
from console.web.builder.guard import KEY, MODES, Group, Items, Kept, Part, Row, Total, items_of
from console.web.builder.operands import kind_of_path, shown_number, shown_value
from console.web.builder.records import Button, FormField, Section
from schemas.formats.paths import path_text
from streams.conditions.fields import Fields
from streams.conditions.language import SEGMENTS
from streams.conditions.parse import MEASURES, QUANTIFIERS
from streams.conditions.predicates import PREDICATES, number_tests, tests_for

_DEEP = 3
_ALL_OR_ANY = [(one, MODES[one]) for one in ("all", "any")]
_TESTS = (*PREDICATES, *QUANTIFIERS, *MEASURES)
_WITHOUT = "Without a condition it sends for every event of its trigger."
ROOT = ""
"""The place of all parts: a group at `2_0` is the first part of the third one."""


def opened(do: str) -> str | None:
    """The place at which a button begins a group; None of any other button."""
    what, _, place = do.partition(":")
    return place if what == "group" else None


def sections(
    guard: Group, fields: Fields, known: Sequence[str], at: str | None = None, without: str = _WITHOUT
) -> list[Section]:
    """A row for each part, and an empty one; an empty group in its stead at the place `at`, if any.

    `without` says what comes of it where there is no part.
    """
    mode = FormField(f"{KEY}_mode", "Of these conditions", guard.mode, kind="choice", choices=_ALL_OR_ANY)
    whole = Section("Conditions", (mode,) if len(guard.parts) > 1 else (), hint="" if guard.parts else without)
    return [whole, *_within(guard.parts, ROOT, fields, known, at)]


def _within(
    parts: Sequence[Part], place: str, fields: Fields, known: Sequence[str], at: str | None
) -> Iterator[Section]:
    """The sections of the parts of a group, and of what may be one more."""
    for number, part in enumerate(parts):
        yield from _section(part, _below(place, number), fields, known, at)
    new = _below(place, len(parts))
    if at == place:
        yield from _section(Group("any"), new, fields, known, None)
        return
    buttons = (Button("stay", "Add this condition"), Button(f"group:{place}", "Begin a group", _of(place)))
    legend = f"One more condition{_of(place)}"
    yield Section(legend, _row(Row("", "is", ""), new, fields, known), is_row=True, buttons=buttons, level=_level(new))


def _section(part: Part, place: str, fields: Fields, known: Sequence[str], at: str | None) -> Iterator[Section]:
    named, level, remove = _said(place), _level(place), Button(f"drop:{place}", "", f"Take {_said(place)} out")
    match part:
        case Kept():
            hint = "This part has no row: change it in the YAML."
            yield Section(f"Condition {named}", hint=hint, kept=written(part.source), remove=remove, level=level)
        case Row():
            row = _row(part, place, fields, known)
            yield Section(f"Condition {named}", row, is_row=True, remove=remove, level=level)
        case Group():
            yield Section(f"Group {named}", (_mode(part, place),), is_row=True, remove=remove, level=level)
            yield from _within(part.parts, place, fields, known, at)
        case Items():
            row = (*_asked(part.path, part.test, part.at, place, fields, known), _mode(part.group, place))
            yield Section(f"Condition {named}", row, is_row=True, remove=remove, level=level)
            below = items_of(part.path, fields)
            yield from _within(part.group.parts, place, below, paths_of(below), at)
        case Total():
            below = items_of(part.path, fields)
            yield Section(f"Condition {named}", _total(part, place, fields, known), is_row=True, remove=remove,
                          level=level)  # fmt: skip
            yield from _within(part.group.parts, place, below, paths_of(below), at)


def _total(part: Total, place: str, fields: Fields, known: Sequence[str]) -> tuple[FormField, ...]:
    """The fields of a count or a sum: what is added up, and the test of the number."""
    name, at = f"{KEY}_{place}", f"{part.at}.{part.test}" if part.at else ""
    numbers = paths_of(items_of(part.path, fields))
    of = FormField(f"{name}_of", "Of its field", part.of, known=numbers, path=at and f"{at}.of")
    choices = [(one, one.replace("_", " ")) for one in number_tests()]
    than = FormField(f"{name}_than", "Test of the number", part.than, kind="choice", choices=choices)
    value = shown_number(part.value, part.than)
    said = FormField(f"{name}_value", "Number", value, path=at and f"{at}.{part.than}")
    mode = (_mode(part.group, place),) if part.group.parts else ()
    asked = _asked(part.path, part.test, part.at, place, fields, known)
    return (*asked, *([of] if part.test == "sum" else []), than, said, *mode)


def _mode(group: Group, place: str) -> FormField:
    name, choices = f"{KEY}_{place}_mode", list(MODES.items())
    return FormField(name, "Of its conditions", group.mode, kind="choice", choices=choices, path=group.at)


def _row(row: Row, place: str, fields: Fields, known: Sequence[str]) -> tuple[FormField, ...]:
    value = shown_value(row.value, row.path, row.test, fields)
    at = f"{row.at}.{row.test}" if row.at else ""
    asked = _asked(row.path, row.test, row.at, place, fields, known)
    return (*asked, FormField(f"{KEY}_{place}_value", "Value", value, path=at))


def _asked(path: str, test: str, at: str, place: str, fields: Fields, known: Sequence[str]) -> tuple[FormField, ...]:
    """The fields of a path and of its test: those that go with its kind, and the one that is there."""
    offered = [*dict.fromkeys((*(tests_of(path, fields) if path else _TESTS), test))]
    choices = [(one, one.replace("_", " ")) for one in offered]
    return (
        FormField(f"{KEY}_{place}_path", "Field", path, known=known, path=at),
        FormField(f"{KEY}_{place}_test", "Test", test, kind="choice", choices=choices),
    )


def tests_of(path: str, fields: Fields) -> Sequence[str]:
    """The tests of a field, by its kind."""
    return tests_for(kind_of_path(path, fields))


def paths_of(fields: Fields) -> list[str]:
    """The paths that a condition may name, as far as they are known."""
    waiting: list[tuple[str, ...]] = [(name,) for name in fields.names()]
    found = [path_text(SEGMENTS)] if fields.has_segments else []
    while waiting:
        path = waiting.pop()
        below = [(*path, name) for name in fields.names(path)] if len(path) < _DEEP else []
        found += [] if below else [path_text(path)]
        waiting += below
    return sorted(found)


def _below(place: str, number: int) -> str:
    return f"{place}_{number}" if place else str(number)


def _level(place: str) -> int:
    return place.count("_")


def _said(place: str) -> str:
    """A place as people count: the third part of the first group is 1.3."""
    return ".".join(str(int(one) + 1) for one in place.split("_"))


def _of(place: str) -> str:
    return f" in {_said(place)}" if place else ""
