"""Requests decoded by the types that a route declares, with every problem of a part at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, TypeVar

import msgspec
from msgspec import Meta
from multidict import MultiMapping

from console.api.problems import Detail, Refusal, Refused, in_body, in_parameter, refused
from schemas.errors import BadRecord
from schemas.formats.pointers import pointer_of
from schemas.wire.json_text import decode_unambiguous
from streams.values.wording import invalid, invalid_kind, refuse_unknown

S = TypeVar("S", bound=msgspec.Struct)
_MISSING = object()


def read_parameters(kind: type[S], values: MultiMapping[str] | Mapping[str, str]) -> S:
    """The parameters of a path or a query. Raises Refused with all that is wrong."""
    problems: list[Detail] = []
    names = [name for name, _ in values.items()]
    _must_be_utf8(*names, *values.values())
    refuse_unknown(dict.fromkeys(names), _names(kind), "", lambda at, said: problems.append(in_parameter(at, said)))
    problems += [in_parameter(name, "is given twice: once is enough") for name in _repeated(names)]
    read = _fields(kind, values, strict=False)
    problems += [in_parameter(name, said) for name, said in read if isinstance(said, str)]
    if problems:
        raise Refused(Refusal("invalid", errors=tuple(problems)))
    return msgspec.convert({name: values[name] for name in names}, kind, strict=False)


def read_body(kind: type[S], value: Any) -> S:
    """A body of our own form. Raises Refused with all that is wrong."""
    if not isinstance(value, dict):
        raise refused("invalid", "", in_body("", invalid(value, "an object")))
    problems: list[Detail] = []
    refuse_unknown(value, _names(kind), "", lambda at, said: problems.append(in_body(pointer_of(at), said)))
    problems += [in_body(pointer_of(name), said) for name, said in _fields(kind, value, strict=True)]
    if problems:
        raise Refused(Refusal("invalid", errors=tuple(problems)))
    return msgspec.convert(value, kind)


def read_json(raw: bytes) -> Any:
    """A body as JSON: within limits, and without names that are given twice. Raises Refused."""
    if not raw.strip():
        raise refused("unreadable", "the body is empty; it must be JSON")
    try:
        return decode_unambiguous(raw)
    except BadRecord as error:
        raise refused("unreadable", f"the body cannot be read: {error}") from None


def one_or_many(written: Any, named: str, most: int) -> tuple[list[Any], bool]:
    """A body that is one thing, or a list of them, and whether it is a list. Raises Refused."""
    if not isinstance(written, list):
        return [written], False
    if not 1 <= len(written) <= most:
        said = invalid(f"a list of {len(written)}", f"one {named}, or a list of 1 to {most}")
        raise refused("invalid", "", in_body("", said))
    return written, True


def allowed_of(kind: Any) -> str:
    """The words after `must be`, for a type of a parameter."""
    schema = msgspec.json.schema(kind)
    schema = next((one for one in schema.get("anyOf", []) if one != {"type": "null"}), schema)
    if "enum" in schema:
        return f"one of {', '.join(map(str, schema['enum']))}"
    match schema.get("type"):
        case "integer":
            upto = f" to {schema['maximum']}" if "maximum" in schema else ""
            return f"a whole number from {schema.get('minimum', 0)}{upto}"
        case "boolean":
            return "true or false"
        case "string" if "maxLength" in schema:
            return f"a text of at most {schema['maxLength']} characters"
        case "array":
            least = f"{schema['minItems']} to" if "minItems" in schema else "at most"
            return f"a list of {least} {schema['maxItems']}" if "maxItems" in schema else "a list"
        case "object":
            return "an object"
    return "a text"


def _fields(kind: type[msgspec.Struct], values: Any, *, strict: bool) -> Iterator[tuple[str, str]]:
    """Each field that is wrong or missing, and why."""
    for field in _fields_of(kind):
        value = values.get(field.encode_name, _MISSING)
        if value is _MISSING:
            if field.required:
                yield field.encode_name, invalid(None, allowed_of(field.type))
            continue
        try:
            msgspec.convert(value, field.type, strict=strict)
        except msgspec.ValidationError as error:
            inner = re.search(r" - at `\$(.*)`", str(error))
            if inner and inner[1]:
                yield f"{field.encode_name}{inner[1]}", str(error).partition(" - at")[0]
            else:
                said = invalid_kind if _is_private(field.type) else invalid
                yield field.encode_name, said(value, allowed_of(field.type))


def _is_private(kind: Any) -> bool:
    return any((one.extra or {}).get("private") for one in getattr(kind, "__metadata__", ()) if isinstance(one, Meta))


@cache
def _names(kind: type[msgspec.Struct]) -> tuple[str, ...]:
    return tuple(field.encode_name for field in _fields_of(kind))


@cache
def _fields_of(kind: type[msgspec.Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    """Looked up once: that resolves the annotations of a type each time, which took longer than to read a request."""
    return msgspec.structs.fields(kind)


def _repeated(names: list[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if names.count(name) > 1]


def _must_be_utf8(*texts: str) -> None:
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        raise refused("unreadable", "the address is not valid UTF-8") from None
