"""Write the Avro schema of a record from its struct, so that there is one declaration and not two.

The result is committed under `schemas/avro/`; a test holds the files equal to what this module writes.
"""

from __future__ import annotations

import datetime as dt
import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from schemas import closed
from schemas.record import OpenRecord

NAMESPACE = "tidings"
JSON_TEXT: dict[str, str] = {"type": "string", "logicalType": "json"}
EXTRA = "extra"
"""The Avro field that holds the unknown fields of an open record."""

_PLAIN: dict[object, object] = {
    str: "string",
    bool: "boolean",
    int: "long",
    float: "double",
    bytes: "bytes",
    dt.datetime: {"type": "long", "logicalType": "timestamp-micros"},
    Any: JSON_TEXT,
}


def avro_schema(struct: type[msgspec.Struct], *, name: str | None = None, **replaced: type) -> dict[str, Any]:
    """The schema of `struct`; `replaced` gives other types to some of its fields (an event's `data`, by topic)."""
    schema: dict[str, Any] = _Writer().record(struct, name=name, replaced=replaced)
    return schema


class _Writer:
    """One schema being written: a named type stands in full where it is met first, by name afterwards."""

    def __init__(self) -> None:
        self._written: set[str] = set()

    def record(self, struct: type[msgspec.Struct], *, name: str | None = None, replaced: dict[str, type]) -> Any:
        name = name or struct.__name__
        if name in self._written:
            return f"{NAMESPACE}.{name}"
        self._written.add(name)
        hints = get_type_hints(struct, include_extras=True) | replaced
        fields = [self._field(field, hints[field.name]) for field in msgspec.structs.fields(struct)]
        head = {"type": "record", "name": name, "namespace": NAMESPACE, "doc": _doc_of(struct)}
        return head | {"fields": _tag_field(struct) + fields + _extra_field(struct)}

    def _field(self, field: msgspec.structs.FieldInfo, hint: Any) -> dict[str, Any]:
        bare, doc = _split(hint)
        written: dict[str, Any] = {"name": field.name, "type": self._type(bare)}
        default = _default(field)
        return written | ({"doc": doc} if doc else {}) | ({} if default is msgspec.NODEFAULT else {"default": default})

    def _type(self, hint: Any) -> Any:
        bare, _ = _split(hint)
        origin, arms = get_origin(bare), tuple(arm for arm in get_args(bare) if arm != closed.Unknown)
        if origin in (Union, types.UnionType):
            return self._union(arms)
        if origin is Literal:
            return "string" if len(arms) == 1 else self._enum(arms)
        if origin is list:
            return {"type": "array", "items": self._type(arms[0])}
        if origin is dict:
            return JSON_TEXT if arms[1] is Any else {"type": "map", "values": self._type(arms[1])}
        if isinstance(bare, type) and issubclass(bare, msgspec.Struct):
            return self.record(bare, replaced={})
        return _PLAIN[bare]

    def _union(self, arms: tuple[Any, ...]) -> Any:
        present = [self._type(arm) for arm in arms if arm is not type(None)]
        if type(None) in arms:
            return ["null", *present]
        return present if len(present) > 1 else present[0]

    def _enum(self, symbols: tuple[str, ...]) -> Any:
        name = _ENUM_NAMES[symbols]
        if name in self._written:
            return f"{NAMESPACE}.{name}"
        self._written.add(name)
        head = {"type": "enum", "name": name, "namespace": NAMESPACE}
        return head | {"symbols": [closed.UNKNOWN, *symbols], "default": closed.UNKNOWN}


def _split(hint: Any) -> tuple[Any, str | None]:
    """A hint without its annotations, and the description among them."""
    if get_origin(hint) is not Annotated:
        return hint, None
    bare, *notes = get_args(hint)
    docs = [note.description for note in notes if isinstance(note, msgspec.Meta) and note.description]
    inner, inner_doc = _split(bare)
    return inner, docs[-1] if docs else inner_doc


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.default_factory is not msgspec.NODEFAULT:
        made = field.default_factory()
        return "{}" if made == {} and not _is_map(field) else msgspec.to_builtins(made)
    return msgspec.NODEFAULT if field.default is msgspec.NODEFAULT else msgspec.to_builtins(field.default)


def _is_map(field: msgspec.structs.FieldInfo) -> bool:
    bare, _ = _split(field.type)
    return get_origin(bare) is dict and get_args(bare)[1] is not Any


def _tag_field(struct: type[msgspec.Struct]) -> list[dict[str, Any]]:
    config = struct.__struct_config__
    return [{"name": config.tag_field, "type": "string", "default": config.tag}] if config.tag_field else []


def _extra_field(struct: type[msgspec.Struct]) -> list[dict[str, Any]]:
    if not issubclass(struct, OpenRecord):
        return []
    return [{"name": EXTRA, "type": JSON_TEXT, "default": "{}", "doc": "Fields not listed above, as one JSON object."}]


def _doc_of(struct: type[msgspec.Struct]) -> str:
    return " ".join((struct.__doc__ or "").split())


_ENUM_NAMES: dict[tuple[str, ...], str] = {
    get_args(hint): name for name, hint in vars(closed).items() if get_origin(hint) is Literal
}
"""The symbols of each closed list to its name."""
