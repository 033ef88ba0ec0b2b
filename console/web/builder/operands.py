"""The value of a test in a form: read as the kind that the test takes, and shown so that it reads back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from console.control.document_texts import values_of
from schemas.formats.paths import read_names
from streams.conditions.answer import Kind
from streams.conditions.fields import Fields, Found
from streams.conditions.predicates import PREDICATES

_ANY: Kind = "any"
_NOTHING = Fields({}, closed=False)


def kind_of_path(path: str, fields: Fields) -> Kind:
    """The kind of value that a path leads to, as far as that is known."""
    found = found_at(path, fields)
    return found.kind if found else _ANY


def found_at(path: str, fields: Fields) -> Found | None:
    """The kind that a path leads to, and of its items; None of one that may not be named."""
    try:
        found = fields.find(read_names(path))
    except ValueError:
        return None
    return found if isinstance(found, Found) else None


def shown_value(value: Any, path: str, test: str, fields: Fields) -> str:
    """A value as it stands in its field: as it is, lists with commas; as JSON where it would not read so."""
    plain = ", ".join(map(_plain, value)) if isinstance(value, list) else _plain(value)
    if same(read_value(plain.strip(), path, test, fields), value):
        return plain
    return json.dumps(value, ensure_ascii=False, default=str)


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


def read_number(given: str, test: str) -> Any:
    """The value of a test of a count or a sum; what is not a number stays a text, and is told of."""
    return read_value(given, "", test, _NOTHING) if test == "between" else _scalar(given, "number")


def shown_number(value: Any, test: str) -> str:
    """The same as it stands in its field; as JSON where it would not read so."""
    plain = ", ".join(map(_plain, value)) if isinstance(value, list) else _plain(value)
    return plain if same(read_number(plain.strip(), test), value) else json.dumps(value, default=str)


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
