"""The condition of a distribution as a tree of rows and groups; what does not fit a form stays as it is written."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from console.control.document_edit import GONE
from console.web.builder.operands import found_at, read_number, read_value, same, shown_number, shown_value
from schemas.formats.paths import path_text
from streams.conditions.fields import Fields
from streams.conditions.parse import MEASURES, QUANTIFIERS
from streams.conditions.predicates import PREDICATES, number_tests

KEY = "when"
MODES: Mapping[str, str] = {
    "all": "all of them hold", "any": "one of them holds", "none": "none of them holds",
    "not_all": "not all of them hold",
}  # fmt: skip
"""Of a group; that of all parts is one of the first two."""
_NOT: Mapping[str, str] = {"any": "none", "all": "not_all"}
_DEEPEST = 6
"""Groups within groups that have fields; what is deeper stays as it is written."""
Form = Literal["list", "bare", "mapping"]
"""How a group is written: `any: [...]`, `not: {...}` of one part, or paths beside each other, all of which hold."""


@dataclass(frozen=True, slots=True)
class Row:
    """One test of one field; `is_short` where its value stands without the test. `at` is its place in the document."""

    path: str
    test: str
    value: Any
    is_short: bool = False
    at: str = field(default="", compare=False)

    @property
    def source(self) -> Any:
        """The same as a document has it."""
        return {self.path: self.value if self.is_short else {self.test: self.value}}


@dataclass(frozen=True, slots=True)
class Kept:
    """A part that has no fields, as it is written."""

    source: Any


@dataclass(frozen=True, slots=True)
class Group:
    """Parts of which all have to hold, or one, or none."""

    mode: str
    parts: tuple[Part, ...] = ()
    form: Form = "list"
    at: str = field(default="", compare=False)

    @property
    def source(self) -> Any:
        """The same as a document has it."""
        made = [one.source for one in self.parts]
        if self.form == "mapping" and self.mode == "all" and (merged := _beside(made)) is not None:
            return merged
        if self.form == "bare" and self.mode in _NOT.values() and len(made) == 1:
            return {"not": made[0]}
        for mode, negated in _NOT.items():
            if self.mode == negated:
                return {"not": {mode: made}}
        return {self.mode: made}


@dataclass(frozen=True, slots=True)
class Items:
    """A test of the items of a list, each by conditions of its own."""

    path: str
    test: str
    group: Group
    at: str = field(default="", compare=False)

    @property
    def source(self) -> Any:
        """The same as a document has it."""
        return {self.path: {self.test: self.group.source if self.group.parts else {}}}


@dataclass(frozen=True, slots=True)
class Total:
    """A test of how many items a list has, or of what a field of theirs adds up to; of those that conditions fit.

    `than` is the test of that number; `is_short` where the number stands alone.
    """

    path: str
    test: str
    of: str
    than: str
    value: Any
    group: Group
    is_short: bool = False
    at: str = field(default="", compare=False)

    @property
    def source(self) -> Any:
        """The same as a document has it."""
        if self.is_short and self.than == "is" and not (self.of or self.group.parts):
            return {self.path: {self.test: self.value}}
        of = {"of": self.of} if self.of else {}
        where = {"where": self.group.source} if self.group.parts else {}
        return {self.path: {self.test: {**of, **where, self.than: self.value}}}


Part = Row | Kept | Group | Items | Total
AT_FIRST = "at_least"
"""The test of a number of which nobody has said one yet."""
_NO_TEST = Group("all", form="mapping")
"""Of items, before there is one."""


def value_of(guard: Group) -> Any:
    """The same as a document has it; `GONE` where there are no parts."""
    if not guard.parts:
        return GONE
    return guard.parts[0].source if len(guard.parts) == 1 and guard.form == "list" else guard.source


def is_same(one: Group, other: Group) -> bool:
    """True of conditions that say the same: of less than two parts, all hold where one does."""
    has_mode = len(one.parts) < 2 or one.mode == other.mode
    return has_mode and _same_parts(one.parts, other.parts)


def _same_parts(some: Sequence[Part], others: Sequence[Part]) -> bool:
    return len(some) == len(others) and all(map(_same_part, some, others))


def _same_part(one: Part, other: Part) -> bool:
    match one, other:
        case Row(), Row():
            return (one.path, one.test) == (other.path, other.test) and same(one.value, other.value)
        case Group(), Group():
            return one.mode == other.mode and _same_parts(one.parts, other.parts)
        case Items(), Items():
            return (one.path, one.test) == (other.path, other.test) and _same_part(one.group, other.group)
        case Total(), Total():
            says = all(getattr(one, name) == getattr(other, name) for name in ("path", "test", "of", "than"))
            return says and same(one.value, other.value) and _same_part(one.group, other.group)
        case _:
            return one == other


def _beside(made: Sequence[Any]) -> dict[str, Any] | None:
    """Parts as paths beside each other, tests of one path too; None where two of them would be one."""
    merged: dict[str, Any] = {}
    for part in made:
        for name, value in part.items():
            there = merged.get(name)
            if name not in merged:
                merged[name] = value
            elif isinstance(there, Mapping) and isinstance(value, Mapping) and not there.keys() & value.keys():
                merged[name] = {**there, **value}
            else:
                return None
    return merged


# -- from the document -------------------------------------------------------------------------------------------------


def guard_of(when: Any, fields: Fields, at: str = KEY) -> Group:
    """The parts of a condition that stands at `at`, of which all have to hold, or one."""
    if when is None:
        return Group("all")
    whole = _group(when, fields, at, 0) if isinstance(when, Mapping) else None
    if whole is None or whole.mode not in _NOT:
        return Group("all", (whole or Kept(when),))
    return replace(whole, form="list") if len(whole.parts) == 1 else whole


def _group(source: Mapping[str, Any], fields: Fields, at: str, depth: int) -> Group | None:
    """A mapping as a group; None where it is empty, or nested too deep."""
    if depth > _DEEPEST or not source:
        return None
    if len(source) == 1:
        ((name, value),) = source.items()
        if name in _NOT and isinstance(value, list) and value and all(isinstance(one, Mapping) for one in value):
            found = [_part(one, fields, f"{at}.{name}[{number}]", depth) for number, one in enumerate(value)]
            return Group(name, tuple(found) if name == "any" else _split(found), at=at)
        if name == "not" and isinstance(value, Mapping):
            return _negated(value, fields, f"{at}.not", depth)
    parts = tuple(part for name, value in source.items() for part in _tests(name, value, fields, at, depth))
    return Group("all", parts, "mapping", at)


def _negated(source: Mapping[str, Any], fields: Fields, at: str, depth: int) -> Group | None:
    within = _group(source, fields, at, depth + 1)
    if within is None:
        return None
    if within.mode in _NOT and within.form == "list":
        return replace(within, mode=_NOT[within.mode])
    if len(within.parts) == 1 and within.form == "mapping":
        return replace(within, mode="none", form="bare")
    return Group("none", (within,), "bare", at)


def _part(source: Mapping[str, Any], fields: Fields, at: str, depth: int) -> Part:
    """One entry of a list of conditions."""
    found = _group(source, fields, at, depth + 1)
    if found is None:
        return Kept(source)
    return found.parts[0] if found.form == "mapping" and len(found.parts) == 1 else found


def _split(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Parts that all have to hold: paths beside each other are parts of their own."""
    beside = [one.parts if isinstance(one, Group) and one.form == "mapping" else (one,) for one in parts]
    return tuple(part for several in beside for part in several)


def _tests(name: str, value: Any, fields: Fields, at: str, depth: int) -> tuple[Part, ...]:
    """One entry of a mapping: a row for each test of a path."""
    if name in (*_NOT, "not"):
        return (_group({name: value}, fields, at, depth + 1) or Kept({name: value}),)
    is_short = not isinstance(value, Mapping)
    tests = {"in" if isinstance(value, list) else "is": value} if is_short else value
    here = f"{at}.{path_text((name,))}"
    made = tuple(_test(name, test, one, fields, here, depth, is_short) for test, one in tests.items())
    rows = tuple(one for one in made if one is not None)
    return rows if rows and len(rows) == len(made) else (Kept({name: value}),)


def _test(path: str, test: str, value: Any, fields: Fields, at: str, depth: int, is_short: bool) -> Part | None:
    if test in QUANTIFIERS and isinstance(value, Mapping):
        within = _group(value, items_of(path, fields), f"{at}.{test}", depth + 1)
        return Items(path, test, within or _NO_TEST, at) if within or not value else None
    if test in MEASURES:
        return _total(path, test, value, fields, at, depth)
    if test not in PREDICATES or not same(
        read_value(shown_value(value, path, test, fields).strip(), path, test, fields), value
    ):
        return None
    return Row(path, test, value, is_short, at)


def _total(path: str, test: str, value: Any, fields: Fields, at: str, depth: int) -> Total | None:
    """A count or a sum with one test of its number; None of any other."""
    body = dict(value) if isinstance(value, Mapping) else {"is": value}
    where, of = body.pop("where", None), body.pop("of", "") if test == "sum" else ""
    if len(body) != 1 or not isinstance(of, str):
        return None
    ((than, number),) = body.items()
    if than not in number_tests() or not same(read_number(shown_number(number, than).strip(), than), number):
        return None
    found = None
    if isinstance(where, Mapping):
        found = _group(where, items_of(path, fields), f"{at}.{test}.where", depth + 1)
    if where is not None and found is None:
        return None
    return Total(path, test, of, than, number, found or _NO_TEST, not isinstance(value, Mapping), at)


def items_of(path: str, fields: Fields) -> Fields:
    """The fields that the items of a list have, as far as they are known."""
    found = found_at(path, fields)
    return Fields.of_item(found.item if found else None)


# -- from a form -------------------------------------------------------------------------------------------------------


def taken(before: Group, form: Mapping[str, str], fields: Fields, dropped: str = "") -> Group:
    """The condition as a form leaves it: parts that it shows are as they are there, parts without fields stay.

    `dropped` is the place of the part that goes, as in `0_2`: the third part of the first group.
    """
    return _grouped(before, KEY, form, fields, f"{KEY}_{dropped}", tuple(_NOT))


def changes(values: Mapping[str, Any], form: Mapping[str, str], do: str, fields: Fields) -> dict[str, Any]:
    """The condition of a document where a form changes it, else nothing; `do` is what its button says."""
    what, _, place = do.partition(":")
    before = guard_of(values.get(KEY), fields)
    after = taken(before, form, fields, place if what == "drop" else "")
    made = value_of(after)
    return {} if is_same(after, before) or (made is GONE and values.get(KEY) is None) else {KEY: made}


def _parts(
    before: Sequence[Part], within: str, form: Mapping[str, str], fields: Fields, dropped: str
) -> tuple[Part, ...]:
    """The parts of a group, and the new one behind them."""
    named = [(f"{within}_{number}", part) for number, part in enumerate((*before, None))]
    made = [_taken(part, name, form, fields, dropped) for name, part in named if name != dropped]
    return tuple(one for one in made if one is not None)


def _taken(before: Part | None, name: str, form: Mapping[str, str], fields: Fields, dropped: str) -> Part | None:
    if isinstance(before, Kept):
        return before
    if f"{name}_path" in form:
        return _tested(before, name, form, fields, dropped)
    if f"{name}_mode" not in form or not isinstance(before, Group | None):
        return before
    made = _grouped(before or Group("all"), name, form, fields, dropped)
    return made if made.parts else None


def _grouped(
    before: Group, name: str, form: Mapping[str, str], fields: Fields, dropped: str, modes: Container[str] = MODES
) -> Group:
    mode = form.get(f"{name}_mode", before.mode)
    parts = _parts(before.parts, name, form, fields, dropped)
    return replace(before, mode=mode if mode in modes else before.mode, parts=parts)


def _tested(before: Part | None, name: str, form: Mapping[str, str], fields: Fields, dropped: str) -> Part | None:
    """A row, or a test of items, as the form has it; what has no path any more goes."""
    path, test, value = (form.get(f"{name}_{one}", "").strip() for one in ("path", "test", "value"))
    if not path:
        return None
    if test in QUANTIFIERS:
        group = before.group if isinstance(before, Items | Total) else _NO_TEST
        return Items(path, test, _grouped(group, name, form, items_of(path, fields), dropped))
    if test in MEASURES:
        return _totalled(before, name, form, fields, dropped)
    is_short = isinstance(before, Row) and before.is_short and before.test == test
    return Row(path, test, read_value(value, path, test, fields), is_short)


def _totalled(before: Part | None, name: str, form: Mapping[str, str], fields: Fields, dropped: str) -> Total:
    path, test, value, of, than = (
        form.get(f"{name}_{one}", "").strip() for one in ("path", "test", "value", "of", "than")
    )
    than = than if than in number_tests() else AT_FIRST
    group = before.group if isinstance(before, Items | Total) else _NO_TEST
    where = _grouped(group, name, form, items_of(path, fields), dropped)
    is_short = isinstance(before, Total) and before.is_short
    return Total(path, test, of if test == "sum" else "", than, read_number(value, than), where, is_short)
