"""Payloads and attributes as rows: a name, and where its value comes from; what no row can say stays as it is written.

Of a body that is drawn an object within another is no row of its own: its parts are, by names with dots between them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any, Literal

from console.control.document_edit import GONE
from schemas.formats.paths import path_text, read_names
from schemas.payload import DEFAULT, FROM, VALUE, escaped, is_dynamic, is_escape

Shape = Literal["drawn", "mapped", "chosen"]
"""A body of one's own, names at a provider, or the paths that a body takes as they stand."""
How = Literal["from", "text", "value"]
"""The origin of a value: the event, or a text, or else a number, true, false or null that stands there."""
Names = tuple[Any, ...]

MOST = 100
"""Rows of one payload; whatever stands behind them stays YAML."""
_KEYS = ("name", "how", "value", "otherwise")
_NAME = "must be a name, or names with dots between them, as in customer.id; one with a dot in it stands in quotes"
_PLAIN = "must be a number, true, false or null; a text is of another kind"


@dataclass(frozen=True, slots=True)
class Row:
    """A value: its names from the outside in, and where it comes from; `otherwise` stands where the event has none.

    `source` is how it is written. Of what is chosen there is a path alone.
    """

    names: Names
    how: How
    value: str
    otherwise: str = ""
    source: Any = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Kept:
    """A part that has no row, as it is written."""

    names: Names
    source: Any


Entry = Row | Kept


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A row that cannot be written: the name of its field, and why."""

    field: str
    message: str


# -- from the document -------------------------------------------------------------------------------------------------


def entries_of(whole: Any, shape: Shape) -> list[Entry] | None:
    """The rows of a payload; None of what is not one. Nothing written has none."""
    if whole is None:
        return []
    if shape == "chosen":
        return _limited([_chosen(one) for one in whole]) if isinstance(whole, list) else None
    if not isinstance(whole, Mapping):
        return None
    if shape == "mapped":
        return _limited([_mapped(name, part) for name, part in whole.items()])
    members = _members(whole, is_top=True)
    return None if members is None else _limited(list(_drawn(members, ())))


def _limited(found: Sequence[Entry]) -> list[Entry]:
    return [*found[:MOST], *(Kept(one.names, one.source) for one in found[MOST:])]


def _members(node: Mapping[Any, Any], *, is_top: bool = False) -> Mapping[Any, Any] | None:
    """The members of an object, also of one that is wrapped; None of what is not one that has any."""
    if is_dynamic(node) or not (node or is_top):
        return None
    if not is_escape(node):
        return node
    inner = node[VALUE]
    return inner if isinstance(inner, Mapping) and (is_dynamic(inner) or is_escape(inner)) else None


def _drawn(members: Mapping[Any, Any], above: Names) -> Iterator[Entry]:
    for name, part in members.items():
        names = (*above, name)
        within = _members(part) if isinstance(part, Mapping) else None
        if within is not None and all(isinstance(one, str) for one in names):
            yield from _drawn(within, names)
        elif isinstance(part, Mapping):
            yield _of_event(names, part)
        else:
            yield _static(names, part, part)


def _mapped(name: Any, part: Any) -> Entry:
    if isinstance(part, str):
        return Row((name,), "from", part, source=part) if _are_names((name,)) and _fits(part) else Kept((name,), part)
    if isinstance(part, Mapping):
        return _static((name,), part[VALUE], part) if is_escape(part) else _of_event((name,), part)
    return _static((name,), part, part) if isinstance(part, bool | int | float) else Kept((name,), part)


def _chosen(path: Any) -> Entry:
    return Row((), "from", path, source=path) if _fits(path) and path.strip() else Kept((), path)


def _of_event(names: Names, part: Mapping[Any, Any]) -> Entry:
    path, default = part.get(FROM), part.get(DEFAULT, GONE)
    is_plain = default is GONE or _is_scalar(default)
    if not set(part) <= {FROM, DEFAULT} or not is_plain or not _fits(path) or not _are_names(names):
        return Kept(names, part)
    otherwise = "" if default is GONE else _shown(default)
    return Row(names, "from", str(path), otherwise, part) if _fits(otherwise) else Kept(names, part)


def _static(names: Names, value: Any, source: Any) -> Entry:
    if not _is_scalar(value) or not _are_names(names):
        return Kept(names, source)
    if isinstance(value, str | date):
        text = value if isinstance(value, str) else value.isoformat()
        return Row(names, "text", text, source=source) if _fits(text) else Kept(names, source)
    return Row(names, "value", json.dumps(value), source=source)


def _fits(*texts: Any) -> bool:
    """True of texts that come out of a field of one line as they went into it."""
    return all(isinstance(one, str) and one == one.strip() and one.isprintable() for one in texts)


def _are_names(names: Names) -> bool:
    return _fits(*names) and all(names)


def _is_scalar(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, str | bool | int | date | datetime)


def _shown(value: Any) -> str:
    """A default as its field shows it: a text as it is, in quotes where it would be read as something else."""
    if isinstance(value, date):
        value = value.isoformat()
    if isinstance(value, str) and value and _json(value) is GONE:
        return value
    return json.dumps(value, ensure_ascii=False)


def _json(given: str) -> Any:
    """A plain value of JSON; GONE for anything else."""
    try:
        found = json.loads(given)
    except (ValueError, RecursionError):
        return GONE
    return found if _is_scalar(found) else GONE


# -- from a form -------------------------------------------------------------------------------------------------------


def taken(
    before: Sequence[Entry], within: str, form: Mapping[str, str], shape: Shape, dropped: str = ""
) -> tuple[dict[int, Entry], list[RowProblem]]:
    """The rows as a form leaves them, each under the number of its fields; and what cannot be written of them.

    `within` begins the names of their fields; `dropped` is the row that goes. Parts that have no row stay.
    """
    fields = re.compile(rf"{re.escape(within)}_(\d{{1,4}})_value")
    shown = {int(found[1]) for name in form if (found := fields.fullmatch(name))}
    made: dict[int, Entry] = {number: one for number, one in enumerate(before) if isinstance(one, Kept) or not shown}
    for number in sorted(shown - made.keys()):
        name, old = f"{within}_{number}", before[number] if number < len(before) else None
        given = {key: form.get(f"{name}_{key}", "").strip() for key in _KEYS}
        if name != dropped and (row := _read(old, given, shape)):
            made[number] = row
    made = dict(sorted(made.items()))
    problems = [
        RowProblem(f"{within}_{number}_{key}", why)
        for number, one in made.items()
        if isinstance(one, Row) and shape != "chosen"
        for key, why in _wrong(one, [other for at, other in made.items() if at != number], shape)
    ]
    return made, problems


def _wrong(one: Row, others: Sequence[Entry], shape: Shape) -> Iterator[tuple[str, str]]:
    """The fields of a row that cannot be written, and why."""
    if not one.names:
        yield "name", _NAME
    elif not one.names[0]:
        yield "name", "is missing: what the value is called where it goes"
    elif any(other.names and _meet(one.names, other.names) for other in others):
        yield "name", f"{_named(one.names, shape)} is there already"
    if one.how == "value" and (_json(one.value) is GONE or isinstance(_json(one.value), str)):
        yield "value", _PLAIN


def _meet(one: Names, other: Names) -> bool:
    """True where one of them stands where the other does, or within it."""
    least = min(len(one), len(other))
    return one[:least] == other[:least]


def _read(old: Entry | None, given: Mapping[str, str], shape: Shape) -> Row | None:
    """A row of a form, with no names where these cannot be read; None of an empty one."""
    value, otherwise = given["value"], given["otherwise"]
    if shape == "chosen":
        return Row((), "from", value, source=value) if value else None
    if not (given["name"] or value or otherwise):
        return None
    how: How = "text" if given["how"] == "text" else "value" if given["how"] == "value" else "from"
    try:
        names: Names = (given["name"],) if shape == "mapped" or not given["name"] else read_names(given["name"])
    except ValueError:
        names = ()
    made = Row(names, how, value, otherwise if how == "from" else "", given["name"])
    if isinstance(old, Row) and made == old:
        return old
    return replace(made, source=_source(made, shape)) if names else made


def _source(row: Row, shape: Shape) -> Any:
    """A row as a document has it."""
    if row.how == "from":
        if row.otherwise:
            default = _json(row.otherwise)
            return {FROM: row.value, DEFAULT: row.otherwise if default is GONE else default}
        return row.value if shape == "mapped" else {FROM: row.value}
    if row.how == "text":
        return {VALUE: row.value} if shape == "mapped" else row.value
    found = _json(row.value)
    return row.value if found is GONE else found


def whole_of(entries: Collection[Entry], shape: Shape) -> Any:
    """The payload that rows make; GONE of none."""
    if not entries:
        return GONE
    if shape == "chosen":
        return [one.source for one in entries]
    if shape == "mapped":
        return {one.names[0]: one.source for one in entries}
    tree: dict[Any, Any] = {}
    for one in entries:
        at = tree
        for name in one.names[:-1]:
            at = at.setdefault(name, _Object())
        at[one.names[-1]] = one.source
    return _wrapped(tree)


class _Object(dict[Any, Any]):
    """An object whose members are rows, beside what is written as it is."""


def _wrapped(members: dict[Any, Any]) -> dict[Any, Any]:
    return escaped({name: _wrapped(one) if isinstance(one, _Object) else one for name, one in members.items()})


def kept_of(entries: Collection[Entry], shape: Shape) -> Any:
    """The parts that have no row, as a document has them; None of none."""
    found = [one for one in entries if isinstance(one, Kept)]
    return whole_of(found, shape) if found else None


def _named(names: Names, shape: Shape) -> str:
    return str(names[0]) if shape == "mapped" else path_text(names)


def name_of(row: Row, shape: Shape) -> str:
    """The name of a row as its field shows it; as it was typed where it cannot be read."""
    if not row.names:
        return str(row.source or "")
    return _named(row.names, shape) if row.names[0] else ""
