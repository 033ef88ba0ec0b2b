"""Attributes of a data transfer held against the fields that the provider has: no such name, another kind, too long."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from schemas.formats.paths import Names, read_path
from schemas.known_fields import FieldKind, KnownField, KnownFields
from schemas.payload import DEFAULT, FROM, VALUE, is_dynamic, is_escape
from schemas.record import JsonObject
from streams.conditions.answer import Kind, a_kind, kind_of
from streams.conditions.fields import Fields, Found

_TAKES: Mapping[FieldKind, frozenset[Kind]] = {
    "text": frozenset({"text", "number", "boolean", "list"}),
    "number": frozenset({"number"}),
    "boolean": frozenset({"boolean"}),
    "date": frozenset({"text"}),
    "moment": frozenset({"text", "number"}),
    "list": frozenset({"text", "number", "boolean", "list"}),
}
"""Of what is not here, everything."""


def misfits(attributes: JsonObject, known: KnownFields, fields: Fields) -> Iterator[tuple[str, str]]:
    """The names that the provider would not take, each with the reason. `fields` are what the paths lead to."""
    for name, node in (attributes[VALUE] if is_escape(attributes) else attributes).items():
        try:
            said = _why_not(known.find(name), known.noun, node, fields)
        except ValueError as error:
            said = str(error)
        if said:
            yield name, said


def kind_at(path: str, fields: Fields) -> Kind:
    """The kind of value at a path that is valid; `any` where nobody knows."""
    names: Names = ()
    for step in read_path(path):
        if isinstance(step, int):
            found = fields.find(names)
            fields, names = Fields.of_item(found.item if isinstance(found, Found) else None), ()
        else:
            names = (*names, step)
    last = fields.find(names)
    return last.kind if isinstance(last, Found) else "any"


def _why_not(field: KnownField, noun: str, node: Any, fields: Fields) -> str:
    written, read = _parts(node)
    kinds = [(path, kind_at(path, fields)) for path in read]
    kinds += [("what is written", kind_of(one)) for one in written]
    takes = _TAKES.get(field.kind)
    for what, kind in kinds:
        if takes and kind != "any" and kind not in takes:
            return f"{what} is {a_kind(kind)}; {noun} {field.name} takes {_taken(field.kind)}"
    longest = max((len(one.encode()) for one in written if isinstance(one, str)), default=0)
    if field.longest is not None and longest > field.longest:
        return f"has {longest} bytes; {noun} {field.name} takes at most {field.longest}"
    return ""


def _parts(node: Any) -> tuple[list[Any], list[str]]:
    """The values that an attribute says by itself, and the path that it reads."""
    if not (isinstance(node, Mapping) and is_dynamic(node)):
        return [node], []
    return [node[DEFAULT]] if DEFAULT in node else [], [node[FROM]]


def _taken(kind: FieldKind) -> str:
    return "a date" if kind in ("date", "moment") else a_kind(kind)
