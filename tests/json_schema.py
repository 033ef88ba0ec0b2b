"""JSON Schema 2020-12, as much of it as ours use: an unknown keyword is an error, so that nothing goes unchecked.

Source: https://json-schema.org/draft/2020-12/json-schema-validation
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Schema = Mapping[str, Any] | bool

_SILENT = {"$schema", "title", "description", "default", "$defs", "then", "format", "writeOnly"}
"""Remarks, `format` among them unless one asks for more, and what others look up."""
_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "object": lambda one: isinstance(one, dict),
    "array": lambda one: isinstance(one, list),
    "string": lambda one: isinstance(one, str),
    "boolean": lambda one: isinstance(one, bool),
    "null": lambda one: one is None,
    "number": lambda one: isinstance(one, int | float) and not isinstance(one, bool),
    "integer": lambda one: isinstance(one, int | float) and not isinstance(one, bool) and one == int(one),
}
_SIZES: Mapping[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "minLength": ("string", lambda one, size: len(one) >= size),
    "maxLength": ("string", lambda one, size: len(one) <= size),
    "pattern": ("string", lambda one, pattern: re.search(pattern, one) is not None),
    "minItems": ("array", lambda one, size: len(one) >= size),
    "maxItems": ("array", lambda one, size: len(one) <= size),
    "uniqueItems": ("array", lambda one, _: all(item not in one[:place] for place, item in enumerate(one))),
    "minProperties": ("object", lambda one, size: len(one) >= size),
    "maxProperties": ("object", lambda one, size: len(one) <= size),
    "required": ("object", lambda one, names: all(name in one for name in names)),
    "minimum": ("number", lambda one, least: one >= least),
    "maximum": ("number", lambda one, most: one <= most),
    "exclusiveMinimum": ("number", lambda one, bound: one > bound),
}


def is_valid(document: Any, schema: Mapping[str, Any]) -> bool:
    """True where a document, as JSON has it, fits. Raises KeyError for a keyword that is not known here."""
    return _fits(document, schema, schema)


def _fits(one: Any, schema: Schema, root: Mapping[str, Any]) -> bool:
    if isinstance(schema, bool):
        return schema
    return all(_holds(one, word, schema, root) for word in schema if word not in _SILENT)


def _holds(one: Any, word: str, schema: Mapping[str, Any], root: Mapping[str, Any]) -> bool:
    said = schema[word]
    if word in _SIZES:
        kind, test = _SIZES[word]
        return not _TYPES[kind](one) or test(one, said)
    match word:
        case "type":
            return any(_TYPES[kind](one) for kind in ([said] if isinstance(said, str) else said))
        case "enum" | "const":
            return any(_same(one, other) for other in (said if word == "enum" else [said]))
        case "properties":
            return not isinstance(one, dict) or all(_fits(one[name], said[name], root) for name in said if name in one)
        case "additionalProperties":
            others = set(one) - set(schema.get("properties", {})) if isinstance(one, dict) else set()
            return all(_fits(one[name], said, root) for name in others)
        case "propertyNames":
            return not isinstance(one, dict) or all(_fits(name, said, root) for name in one)
        case "items":
            return not isinstance(one, list) or all(_fits(item, said, root) for item in one)
        case "not":
            return not _fits(one, said, root)
        case "oneOf" | "anyOf" | "allOf":
            fitting = sum(_fits(one, other, root) for other in said)
            return {"oneOf": fitting == 1, "anyOf": fitting >= 1, "allOf": fitting == len(said)}[word]
        case "if":
            return not _fits(one, said, root) or _fits(one, schema.get("then", True), root)
        case "$ref":
            return _fits(one, root["$defs"][said.removeprefix("#/$defs/")], root)
        case _:
            raise KeyError(word)


def _same(one: Any, other: Any) -> bool:
    """JSON's equality: 1 is not true."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)
