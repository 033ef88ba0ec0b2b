"""Read Avro records: a schema is compiled once into functions that walk the bytes.

fastavro reads a 256-byte order in 18 µs, most of it on optional fields that are not there; these take 5 to 6. A test
holds the two equal. Unlike it, a count of items that the bytes cannot hold is refused before anything is built.

Source: Avro 1.12 specification, "Binary encoding" and "Logical types".
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, get_args, get_origin

import fastavro
from fastavro.read import LOGICAL_READERS

from schemas.wire.avro_columns import Columns, ColumnsSource
from schemas.wire.avro_schema import EXTRA
from schemas.wire.avro_source import Fields, ReaderSource, fields_reader, is_optional, is_record, is_struct
from schemas.wire.json_text import decode_json

Read = Callable[[bytes, int], tuple[Any, int]]
"""From the bytes and a position to the value there and the position after it. Raises what broken bytes lead it to."""


def mapping_reader(schema: Any, references: Sequence[Any] = ()) -> Read:
    """Reads records of any Avro schema as plain mappings: nulls left out, the fields in `extra` beside the others.

    `references`: schemas whose types it uses, each before those that use it. Raises what a broken schema leads to.
    """
    compiler = _Compiler(structs=False)
    named: dict[str, dict[str, Any]] = {}
    for reference in references:
        compiler.of(fastavro.parse_schema(reference, named), None)
    return compiler.of(fastavro.parse_schema(schema, named), None)


def struct_reader(schema: Any, kind: Any) -> Read:
    """Reads records of a schema that was written from a struct as that struct; what the struct lacks is passed over."""
    return _Compiler(structs=True).of(fastavro.parse_schema(schema), kind)


def columns_reader(schema: Any, kind: Any, paths: Sequence[str]) -> Columns:
    """Reads records of a schema that was written from a struct as fields of COPY: those that `paths` name."""
    return ColumnsSource(_Compiler(structs=True).of, _long).made(fastavro.parse_schema(schema), kind, paths)


class _Compiler:
    """Follows a parsed schema, and beside it the type to read as where structs are wanted."""

    def __init__(self, *, structs: bool) -> None:
        self._structs = structs
        self._named: dict[str, dict[str, Any]] = {}
        self._made: dict[tuple[str, Any], Read] = {}

    def of(self, schema: Any, hint: Any) -> Read:
        if isinstance(schema, list):
            return _union([self.of(arm, _present(hint)) for arm in schema])
        if isinstance(schema, str):
            return _PLAIN[schema] if schema in _PLAIN else self._by_name(schema, hint)
        if not isinstance(schema["type"], str):
            return self.of(schema["type"], hint)
        read = self._bare(schema, hint)
        logical = f"{schema['type']}-{schema.get('logicalType')}"
        if logical in _LOGICAL:
            return _json_object if self._structs and logical == _JSON and _is_object(hint) else _LOGICAL[logical]
        if logical in LOGICAL_READERS:
            return _converted(read, LOGICAL_READERS[logical], schema)
        return read

    def _bare(self, schema: dict[str, Any], hint: Any) -> Read:
        match schema["type"]:
            case "record" | "error" | "enum" | "fixed":
                self._named[schema["name"]] = schema
                return self._by_name(schema["name"], hint)
            case "array":
                return self._list(schema["items"], _item(hint))
            case "map":
                return _blocks(_entry(self.of(schema["values"], None)), dict, lambda made, pair: made.update((pair,)))
            case plain:
                return _PLAIN[plain]

    def _list(self, items: Any, hint: Any) -> Read:
        read = self.of(items, hint)
        if self._structs and is_record(items) and is_struct(hint):
            return ReaderSource(self.of, _skip, _present, _long, _count_of).many(items, hint)
        return _blocks(read, list, list.append)

    def _by_name(self, name: str, hint: Any) -> Read:
        """A named type is compiled once; one that holds itself is looked up while reading."""
        key = name, hint if self._structs else None
        if key not in self._made:
            self._made[key] = self._later(key)
            self._made[key] = self._new(self._named[name], hint)
        return self._made[key]

    def _later(self, key: tuple[str, Any]) -> Read:
        def read(raw: bytes, at: int) -> tuple[Any, int]:
            return self._made[key](raw, at)

        return read

    def _new(self, schema: dict[str, Any], hint: Any) -> Read:
        if schema["type"] == "enum":
            return _enum(schema["symbols"])
        if schema["type"] == "fixed":
            return _fixed(schema["size"])
        if self._structs and is_struct(hint):
            return ReaderSource(self.of, _skip, _present, _long, _count_of).made(schema, hint)
        fields = []
        for field in schema["fields"]:
            name, kind = field["name"], field["type"]
            optional = is_optional(kind)
            fields.append((name, optional, self.of(kind[1] if optional else kind, None)))
        return _mapping(fields, any(name == EXTRA and read is _json for name, _, read in fields))


def _mapping(fields: Fields, is_open: bool) -> Read:
    """The function for the fields is made when such a record is read: of most kinds none ever is."""
    made: list[Read] = []

    def read(raw: bytes, at: int) -> tuple[Any, int]:
        if not made:
            made.append(fields_reader(fields, _text))
        out, at = made[0](raw, at)
        unknown = out.pop(EXTRA, None) if is_open else None
        if None in out.values():
            out = {name: value for name, value in out.items() if value is not None}
        if unknown:
            if not isinstance(unknown, dict):
                raise ValueError(f"{EXTRA} holds no JSON object")
            for name, value in unknown.items():  # a known one is there where its value is of another kind
                out[name] = out.get(name) or value
        return out, at

    return read


def _union(arms: list[Read]) -> Read:
    def read(raw: bytes, at: int) -> tuple[Any, int]:
        arm, at = _long(raw, at)
        if not 0 <= arm < len(arms):
            raise ValueError(f"a union of {len(arms)} has no arm {arm}")
        return arms[arm](raw, at)

    return read


def _blocks(item: Read, made_of: type, add: Callable[[Any, Any], object]) -> Read:
    def read(raw: bytes, at: int) -> tuple[Any, int]:
        out = made_of()
        count, at = _long(raw, at)
        while count:
            count, at = _count_of(raw, at, count)
            for _ in range(count):
                value, at = item(raw, at)
                add(out, value)
            count, at = _long(raw, at)
        return out, at

    return read


def _count_of(raw: bytes, at: int, count: int) -> tuple[int, int]:
    """The number of items of a block, and where they begin."""
    if count < 0:  # the block's length in bytes follows, for readers that skip it
        count = -count
        _, at = _long(raw, at)
    if count > len(raw):
        raise ValueError(f"{count} items in {len(raw)} bytes")
    return count, at


def _entry(value: Read) -> Read:
    def read(raw: bytes, at: int) -> tuple[Any, int]:
        key, at = _text(raw, at)
        found, at = value(raw, at)
        return (key, found), at

    return read


def _enum(symbols: list[str]) -> Read:
    def read(raw: bytes, at: int) -> tuple[Any, int]:
        number, at = _long(raw, at)
        if not 0 <= number < len(symbols):
            raise ValueError(f"an enum of {len(symbols)} has no symbol {number}")
        return symbols[number], at

    return read


def _fixed(size: int) -> Read:
    def read(raw: bytes, at: int) -> tuple[Any, int]:
        return raw[at : _end(raw, at, size)], at + size

    return read


def _converted(read: Read, convert: Callable[..., Any], schema: Any) -> Read:
    def read_converted(raw: bytes, at: int) -> tuple[Any, int]:
        value, at = read(raw, at)
        return convert(value, schema, None), at

    return read_converted


def _end(raw: bytes, start: int, size: int) -> int:
    if size < 0 or start + size > len(raw):
        raise ValueError(f"{size} bytes announced, {len(raw) - start} left")
    return start + size


def _long(raw: bytes, at: int) -> tuple[int, int]:
    byte = raw[at]
    at += 1
    if byte < 0x80:
        return (byte >> 1) ^ -(byte & 1), at
    number, shift = byte & 0x7F, 7
    while byte >= 0x80:
        if shift > 63:
            raise ValueError("an integer of more than ten bytes")
        byte = raw[at]
        at += 1
        number |= (byte & 0x7F) << shift
        shift += 7
    return (number >> 1) ^ -(number & 1), at


def _bytes(raw: bytes, at: int) -> tuple[bytes, int]:
    size, at = _long(raw, at)
    end = _end(raw, at, size)
    return raw[at:end], end


def _text(raw: bytes, at: int) -> tuple[str, int]:
    size = raw[at]
    if size < 0x80 and not size & 1:  # up to 63 bytes
        at += 1
        end = at + (size >> 1)
    else:
        size, at = _long(raw, at)
        end = _end(raw, at, size)
    if end > len(raw):
        raise ValueError(f"{end - at} bytes announced, {len(raw) - at} left")
    return raw[at:end].decode(), end


def _json(raw: bytes, at: int) -> tuple[Any, int]:
    if raw[at] == 4 and raw[at + 1 : at + 3] == b"{}":
        return {}, at + 3
    text, at = _bytes(raw, at)
    return decode_json(text), at


def _json_object(raw: bytes, at: int) -> tuple[dict[str, Any], int]:
    value, at = _json(raw, at)
    if type(value) is not dict:
        raise ValueError(f"a JSON {type(value).__name__} where an object should be")
    return value, at


def _skip_text(raw: bytes, at: int) -> tuple[None, int]:
    size = raw[at]
    if size < 0x80 and not size & 1 and (end := at + 1 + (size >> 1)) <= len(raw):  # up to 63 bytes
        return None, end
    size, at = _long(raw, at)
    return None, _end(raw, at, size)


def _skip_extra(known: tuple[str, ...]) -> Read:
    """Passes over what is unknown; a known field among it needs a closer look: its value is of another kind."""
    odd = re.compile(b'"(?:%b)":' % b"|".join(re.escape(name).encode() for name in known))

    def read(raw: bytes, at: int) -> tuple[None, int]:
        size, at = _long(raw, at)
        end = _end(raw, at, size)
        if size > 2 and odd.search(raw, at, end):
            raise ValueError("a known field is of another kind")
        return None, end

    return read


def _skip(name: str, read: Read, known: tuple[str, ...]) -> Read:
    """Passes over a field: what is read and forgotten need not be made."""
    return _skip_extra(known) if name == EXTRA else _SKIPPED.get(read, read)


def _boolean(raw: bytes, at: int) -> tuple[bool, int]:
    if raw[at] > 1:
        raise ValueError(f"a boolean of {raw[at]}")
    return raw[at] == 1, at + 1


def _moment(raw: bytes, at: int) -> tuple[datetime, int]:
    micros, at = _long(raw, at)
    return _EPOCH + timedelta(microseconds=micros), at


def _packed(layout: struct.Struct) -> Read:
    return lambda raw, at: (layout.unpack_from(raw, at)[0], at + layout.size)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PLAIN: Mapping[str, Read] = {
    "null": lambda _raw, at: (None, at),
    "boolean": _boolean,
    "int": _long,
    "long": _long,
    "float": _packed(struct.Struct("<f")),
    "double": _packed(struct.Struct("<d")),
    "bytes": _bytes,
    "string": _text,
}
_JSON = "string-json"
_LOGICAL: Mapping[str, Read] = {_JSON: _json, "long-timestamp-micros": _moment}
_SKIPPED: dict[Read, Read] = {_text: _skip_text, _bytes: _skip_text, _json: _skip_text}


def _present(hint: Any) -> Any:
    """A hint without None and without annotations."""
    arms = [arm for arm in get_args(hint) if arm is not type(None)]
    return _present(arms[0]) if hasattr(hint, "__metadata__") or type(None) in get_args(hint) else hint


def _item(hint: Any) -> Any:
    return _present(get_args(hint)[0]) if get_origin(hint) is list else None


def _is_object(hint: Any) -> bool:
    return (get_origin(hint) or hint) is dict
