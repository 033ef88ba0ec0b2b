"""The faults by which a reader with one Avro schema cannot read what was written with another.

Source: Avro 1.12 specification, "Schema resolution". JSON in strings and times are not looked into: they are what they
are in every release.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Names = dict[str, Any]

_PROMOTED: Mapping[str, set[str]] = {
    "int": {"long", "float", "double"},
    "long": {"float", "double"},
    "float": {"double"},
    "string": {"bytes"},
    "bytes": {"string"},
}


def faults(writer: Any, reader: Any) -> list[str]:
    """Each fault, with the place in the record; none where everything that is written can be read."""
    return list(_Check().faults(writer, reader, "", {}, {}))


class _Check:
    """One pair of schemas; a record that holds itself is looked into once."""

    def __init__(self) -> None:
        self._seen: set[tuple[str, str]] = set()

    def faults(self, writer: Any, reader: Any, at: str, written: Names, known: Names) -> Iterator[str]:
        writer, reader = _named(writer, written), _named(reader, known)
        if isinstance(writer, list):
            for branch in writer:
                yield from self.faults(branch, reader, at, written, known)
        elif isinstance(reader, list):
            if not any(self._fits(writer, branch, at, written, known) for branch in reader):
                yield f"{at or 'the record'}: {_kind(writer)} is none of {', '.join(map(_kind, reader))}"
        elif (kind := _type(writer)) != _type(reader):
            if _type(reader) not in _PROMOTED.get(kind, ()):
                yield f"{at or 'the record'}: {_kind(writer)} cannot be read as {_kind(reader)}"
        elif _logical(writer) != _logical(reader):
            yield f"{at}: {_logical(writer)} is read as {_logical(reader)}"
        else:
            yield from self._of_kind(kind, writer, reader, at, written, known)

    def _fits(self, writer: Any, branch: Any, at: str, written: Names, known: Names) -> bool:
        return not list(_Check().faults(writer, branch, at, written, dict(known)))

    def _of_kind(self, kind: str, writer: Any, reader: Any, at: str, written: Names, known: Names) -> Iterator[str]:
        match kind:
            case "record":
                yield from self._of_records(writer, reader, at, written, known)
            case "enum":
                if "default" not in reader and (unknown := set(writer["symbols"]) - set(reader["symbols"])):
                    yield f"{at}: the symbols {', '.join(sorted(unknown))} are unknown, and there is not a default"
            case "array":
                yield from self.faults(writer["items"], reader["items"], f"{at}[]", written, known)
            case "map":
                yield from self.faults(writer["values"], reader["values"], f"{at}{{}}", written, known)

    def _of_records(self, writer: Any, reader: Any, at: str, written: Names, known: Names) -> Iterator[str]:
        pair = _full_name(writer), _full_name(reader)
        if pair[0] != pair[1]:
            yield f"{at or 'the record'}: is named {pair[0]}, and was {pair[1]}"
        if pair in self._seen:
            return
        self._seen.add(pair)
        fields = {one["name"]: one for one in writer["fields"]}
        for field in reader["fields"]:
            place = f"{at}.{field['name']}".lstrip(".")
            if field["name"] in fields:
                yield from self.faults(fields[field["name"]]["type"], field["type"], place, written, known)
            elif "default" not in field:
                yield f"{place}: is not written, and has not a default"
        for field in writer["fields"]:  # names that are written in full where the reader does not look
            _note(field["type"], written)


def _named(schema: Any, names: Names) -> Any:
    """A schema itself, where it is the name of one that stood before."""
    _note(schema, names)
    return names.get(schema, schema) if isinstance(schema, str) else schema


def _note(schema: Any, names: Names) -> None:
    for one in schema if isinstance(schema, list) else [schema]:
        if isinstance(one, dict):
            if one.get("type") in ("record", "enum"):
                names.setdefault(_full_name(one), one)
            for inner in (one.get("items"), one.get("values"), *(field["type"] for field in one.get("fields", ()))):
                if isinstance(inner, dict | list):
                    _note(inner, names)


def _full_name(schema: Mapping[str, Any]) -> str:
    return f"{schema.get('namespace', 'tidings')}.{schema['name']}"


def _type(schema: Any) -> str:
    return str(schema["type"] if isinstance(schema, dict) else schema)


def _logical(schema: Any) -> str | None:
    return schema.get("logicalType") if isinstance(schema, dict) else None


def _kind(schema: Any) -> str:
    return _full_name(schema) if isinstance(schema, dict) and "name" in schema else _type(schema)
