"""Write Avro records: a schema of ours is compiled once into functions that append bytes.

Takes structs as they are and open records as mappings; fastavro takes mappings only, so that most of what a decision
cost was for taking it apart. A test holds the bytes equal to fastavro's.

What is as its schema has it is written by functions made for its record, `avro_struct.py`, or for its shape,
`avro_mapping.py`; what is not, by those here, field by field, which say what does not fit.

Plain types are understood here, and of the others what `schemas/wire/avro_schema.py` writes.

Source: Avro 1.12 specification, "Binary encoding".
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import fastavro
import msgspec

from schemas.wire.avro_mapping import Shape, ShapeSource, by_shape
from schemas.wire.avro_pieces import LENGTHS, MISFIT, SHORT, WIDE, Write, bytes_of
from schemas.wire.avro_schema import EXTRA
from schemas.wire.avro_struct import StructSource

_MOST_REMEMBERED = 512
"""Objects whose bytes are kept; then all are forgotten."""


def writer(schema: dict[str, Any], *, remembering: Collection[str] = ()) -> Write:
    """Writes records of a schema, given as structs or as mappings with unknown fields beside the known ones.

    Of inner records with a name among `remembering`, an object that was written lately is not gone through again.
    """
    return _Compiler(remembering).of(fastavro.parse_schema(schema))


class _Compiler:
    """Follows a parsed schema; a named type is compiled once, where it stands in full."""

    def __init__(self, remembering: Collection[str]) -> None:
        self._remembering = remembering
        self._named: dict[str, Write] = {}
        self._symbols: dict[str, dict[str, str]] = {}
        self._records: dict[str, dict[str, Any]] = {}

    def of(self, schema: Any) -> Write:
        if isinstance(schema, list):
            return self._one_of(schema)
        if isinstance(schema, str):
            return _PLAIN[schema] if schema in _PLAIN else self._named[schema]
        match schema["type"]:
            case "record":
                self._records[schema["name"]] = schema
                write = self._record(schema)
                if schema["name"] in self._remembering:
                    write = _remembered(write)
                self._named[schema["name"]] = write
                return write
            case "enum":
                self._symbols[schema["name"]] = pieces = {one: SHORT[at] for at, one in enumerate(schema["symbols"])}
                self._named[schema["name"]] = write = _enum(pieces)
                return write
            case "array":
                return _array(self.of(schema["items"]))
            case "map":
                return _map(self.of(schema["values"]))
        return _LOGICAL[schema["type"], schema["logicalType"]]

    def _one_of(self, arms: list[Any]) -> Write:
        if arms == ["null", "long", "double"]:
            return _number_or_null
        if arms[0] == "null":
            return _optional(self.of(arms[1]))
        writes = [self.of(arm) for arm in arms]
        tags = [self._records[arm if isinstance(arm, str) else arm["name"]]["fields"][0] for arm in arms]
        numbered = {tag["default"]: (index, writes[index]) for index, tag in enumerate(tags)}
        return _tagged(tags[0]["name"], numbered)

    def _again(self, schema: Any) -> Write:
        """The function of a schema that was compiled already, where it has a name."""
        is_known = isinstance(schema, dict) and schema.get("name") in self._named
        return self._named[schema["name"]] if is_known else self.of(schema)

    def _record(self, schema: dict[str, Any]) -> Write:
        fields = {field["name"]: self.of(field["type"]) for field in schema["fields"]}
        absent = {field["name"]: _absent(field, fields[field["name"]]) for field in schema["fields"]}
        from_struct = self._struct(schema, fields)

        def made(shape: Shape) -> Write | None:
            source = ShapeSource(self._again, self._symbols, _long_bytes, _number_bytes, _moment_bytes)
            return source.made(schema, shape, absent, EXTRA)

        return by_shape(made, _mapping(fields, absent), from_struct)

    def _struct(self, schema: dict[str, Any], fields: dict[str, Write]) -> Write:
        """Open records travel as mappings, mostly; others get a function of their own when one is written."""
        if not _is_closed(schema):
            return _one_by_one(fields)
        made: list[Write] = []

        one_by_one = _one_by_one(fields)

        def write(out: bytearray, value: Any) -> None:
            if not made:
                made.append(StructSource(self._again, _is_closed, self._symbols, _utc_moment).made(schema))
            begins = len(out)
            try:
                made[0](out, value)
            except MISFIT:
                del out[begins:]
                one_by_one(out, value)

        return write


def _absent(field: dict[str, Any], write: Write) -> bytes | None:
    """The value for a field that a mapping lacks: its default, or null; None where it has to be there."""
    out = bytearray()
    if isinstance(field["type"], list) and field["type"][0] == "null":
        return b"\x00"
    if "default" not in field:
        return None
    (_text if write is _json else write)(out, field["default"])  # the default of a JSON field is text already
    return bytes(out)


def _is_closed(schema: dict[str, Any]) -> bool:
    return all(field["name"] != EXTRA for field in schema["fields"])


def _one_by_one(fields: dict[str, Write]) -> Write:
    def write(out: bytearray, value: Any) -> None:
        for name, write_field in fields.items():
            write_field(out, {} if name == EXTRA else getattr(value, name))

    return write


def _mapping(fields: dict[str, Write], absent: dict[str, bytes | None]) -> Write:
    """Write a mapping; values of a kind that the schema does not have stand beside its unknown fields.

    A field that is called as these are together is one of them.
    """
    in_order, is_open = [(name, write, absent[name]) for name, write in fields.items()], EXTRA in fields
    known = fields.keys() - {EXTRA}

    def write(out: bytearray, value: Any) -> None:
        misfits: dict[str, Any] = {}
        for name, write_field, default in in_order:
            if name == EXTRA:  # the last one
                _json(out, {name: one for name, one in value.items() if name not in known} | misfits)
            elif name in value:
                begins = len(out)
                try:
                    write_field(out, value[name])
                except MISFIT as error:
                    if default is None or not is_open:
                        raise ValueError(f"{name}: {error}") from error
                    out[begins:] = default
                    misfits[name] = value[name]
            elif default is not None:
                out += default
            else:
                raise ValueError(f"{name}: is missing")

    return write


def _remembered(write: Write) -> Write:
    """The bytes of the latest objects are kept, with the objects themselves: then no other one is in their place."""
    latest: dict[int, tuple[Any, bytes]] = {}

    def write_again(out: bytearray, value: Any) -> None:
        found = latest.get(id(value))
        if found is not None:
            out += found[1]
            return
        begins = len(out)
        write(out, value)
        if len(latest) == _MOST_REMEMBERED:
            latest.clear()
        latest[id(value)] = value, bytes(out[begins:])

    return write_again


def _optional(write: Write) -> Write:
    def write_or_null(out: bytearray, value: Any) -> None:
        if value is None:
            out.append(0)
        else:
            out.append(2)
            write(out, value)

    return write_or_null


def _number_or_null(out: bytearray, value: Any) -> None:
    if value is None:
        out.append(0)
    elif type(value) is float:
        out.append(4)
        _double(out, value)
    else:
        out.append(2)
        _long(out, value)


def _tagged(tag: str, arms: dict[str, tuple[int, Write]]) -> Write:
    def write(out: bytearray, value: Any) -> None:
        index, write_arm = arms[value[tag] if isinstance(value, dict) else getattr(value, tag)]
        _long(out, index)
        write_arm(out, value)

    return write


def _enum(symbols: Mapping[str, str]) -> Write:
    numbers = {symbol: piece.encode(WIDE) for symbol, piece in symbols.items()}

    def write(out: bytearray, value: Any) -> None:
        if value not in numbers:
            raise ValueError(f"{value!r} must be one of {', '.join(symbols)}")
        out += numbers[value]

    return write


def _array(write_item: Write) -> Write:
    def write(out: bytearray, values: Any) -> None:
        if values:
            if isinstance(values, str | dict):
                raise TypeError(f"expected a list, got {type(values).__name__}")
            _long(out, len(values))
            for value in values:
                write_item(out, value)
        out.append(0)

    return write


def _map(write_value: Write) -> Write:
    def write(out: bytearray, values: Any) -> None:
        if values:
            _long(out, len(values))
            for name, value in values.items():
                _text(out, name)
                write_value(out, value)
        out.append(0)

    return write


def _long(out: bytearray, value: Any) -> None:
    if type(value) is not int:
        if type(value) is not float or not value.is_integer():
            raise TypeError(f"expected a whole number, got {type(value).__name__}")
        value = int(value)
    number = (value << 1) ^ (value >> 63)
    if number >> 64:
        raise ValueError(f"{value} does not fit 64 bits")
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


def _int(out: bytearray, value: Any) -> None:
    if not -(1 << 31) <= value < 1 << 31:
        raise ValueError(f"{value} does not fit 32 bits")
    _long(out, value)


def _raw(out: bytearray, value: bytes) -> None:
    size = len(value)
    if size < len(LENGTHS):
        out += LENGTHS[size]
    else:
        _long(out, size)
    out += value


def _text(out: bytearray, value: Any) -> None:
    raw = value.encode()
    size = len(raw)
    if size < len(LENGTHS):
        out += LENGTHS[size]
    else:
        _long(out, size)
    out += raw


def _json(out: bytearray, value: Any) -> None:
    if not value and isinstance(value, dict):
        out += b"\x04{}"
    else:
        _raw(out, msgspec.json.encode(value))


def _boolean(out: bytearray, value: Any) -> None:
    if value is not True and value is not False:
        raise TypeError(f"expected a boolean, got {type(value).__name__}")
    out.append(value)


def _double(out: bytearray, value: Any) -> None:
    out += _DOUBLE.pack(value)


def _float(out: bytearray, value: Any) -> None:
    out += _FLOAT.pack(value)


def _moment(out: bytearray, value: Any) -> None:
    out += _moment_bytes(value)


def _moment_bytes(value: Any) -> bytes:
    if not isinstance(value, datetime):
        raise TypeError(f"expected a datetime, got {type(value).__name__}")
    return _utc_moment(value) if value.tzinfo is UTC else _new_moment(value)


@lru_cache(maxsize=4096)
def _utc_moment(value: datetime) -> bytes:
    """A moment that several records have: of an event its decisions and deliveries, of a batch all that it decided.

    Of no other zone: there two moments may be equal, one before and one after the clocks were put back.
    """
    return _new_moment(value)


def _new_moment(value: datetime) -> bytes:
    micros = (value - _EPOCH) // _MICROSECOND
    if not _FIRST <= micros <= _LAST:  # with its offset it was one, but nobody could read it
        raise ValueError("a time that is outside of the calendar in UTC")
    return _long_bytes(micros)


_long_bytes, _number_bytes = bytes_of(_long), bytes_of(_number_or_null)
_DOUBLE, _FLOAT = struct.Struct("<d"), struct.Struct("<f")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FIRST = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
_LAST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
_PLAIN: Mapping[str, Write] = {
    "boolean": _boolean, "int": _int, "long": _long, "float": _float, "double": _double, "bytes": _raw, "string": _text,
}  # fmt: skip
_LOGICAL: Mapping[tuple[str, str], Write] = {("string", "json"): _json, ("long", "timestamp-micros"): _moment}
