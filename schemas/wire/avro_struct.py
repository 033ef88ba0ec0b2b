"""Writers of structs, made as source: all that stands between two values of other kinds is joined in one call.

Of a record with an id, an optional reason out of a closed list, a moment and two texts comes

    def write(out, value):
        v1 = value.id
        v2 = value.reason
        run = "".join((SHORT[len(v1)], v1, k1[v2]))
        if run.isascii():
            out += run.encode()
        else:
            out += "".join((text(v1), k1[v2])).encode("latin-1")
        k2(out, value.at)
        …

A length of up to 63, an arm of a union and a symbol are characters of ASCII, and so are most texts: then the run is its
own bytes. `k1` has for each symbol, and for None, what is written. Whatever does not fit raises one of MISFIT, and is
said by the writer of fields, `avro_write.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from schemas.wire.avro_pieces import LENGTHS, PRESENT, SHORT, Write, long_piece, part, text_piece
from schemas.wire.avro_source import Source, is_optional, is_record

_SIMPLE = ("string", "long", "boolean")


class StructSource:
    """Writes structs of a closed record. `of` gives the writer of any schema, `symbols` those of an enum by its name.

    `closed` says that a record has no unknown fields, `utc_moment` gives the bytes of a moment in UTC.
    """

    def __init__(
        self,
        of: Callable[[Any], Write],
        closed: Callable[[Any], bool],
        symbols: Mapping[str, Mapping[str, str]],
        utc_moment: Callable[[datetime], bytes],
    ) -> None:
        self._of, self._closed, self._symbols = of, closed, symbols
        self._quick: list[str] = []
        self._careful: list[str] = []
        self._source = Source(
            "def write(out, value):",
            SHORT=SHORT, PRESENT=PRESENT, LENGTHS=LENGTHS, text=text_piece, long=long_piece, refuse=_refuse,
            json=msgspec.json.encode, datetime=datetime, UTC=UTC, utc_moment=utc_moment,
        )  # fmt: skip

    def made(self, schema: Any) -> Write:
        """The function for structs of a record."""
        self._record(schema, "value")
        self._flush()
        write: Write = self._source.function("write")
        return write

    def _record(self, schema: Any, value: str) -> None:
        for field in schema["fields"]:
            self._field(field["type"], f"{value}.{field['name']}")

    def _field(self, schema: Any, value: str) -> None:
        """Add a field to the run, or end it and have what is of another kind written by its own function."""
        if self._is_inline(schema):
            self._inline(schema, self._named(value))
        elif self._is_struct(schema):
            self._record(schema, self._named(value))
        elif is_optional(schema) and self._is_struct(schema[1]):
            self._optional_record(schema[1], self._named(value))
        elif is_optional(schema) or _may_be_empty(schema):
            self._seldom(schema, self._named(value))
        else:
            self._flush()
            self._own(schema, self._named(value))

    def _own(self, schema: Any, name: str) -> None:
        """A value that is written by its own function, but for the plainest of its kind."""
        source, write = self._source, f"{self._source.known(self._of(schema))}(out, {name})"
        kind = schema.get("logicalType") if isinstance(schema, dict) else None
        if kind == "json":
            with source.within(f"if {name}:"):
                source.add(f"raw = json({name})", "size = len(raw)")
                source.add("out += LENGTHS[size] if size < 8192 else long(size).encode('latin-1')", "out += raw")
        elif kind == "timestamp-micros":
            with source.within(f"if {name}.__class__ is datetime and {name}.tzinfo is UTC:"):
                source.add(f"out += utc_moment({name})")
        else:
            source.add(write)
            return
        with source.within("else:"):
            source.add(write)

    def _named(self, value: str) -> str:
        name = self._source.local()
        self._source.add(f"{name} = {value}")
        return name

    def _is_inline(self, schema: Any) -> bool:
        bare = schema[1] if is_optional(schema) else schema
        return bare in _SIMPLE or self._symbols_of(bare) is not None

    def _symbols_of(self, schema: Any) -> Mapping[str, str] | None:
        name = schema if isinstance(schema, str) else schema.get("name") if isinstance(schema, dict) else None
        return None if name is None else self._symbols.get(name)

    def _inline(self, schema: Any, name: str) -> None:
        quick, careful = self._items(schema, name)
        self._quick += quick
        self._careful += careful

    def _items(self, schema: Any, name: str) -> tuple[list[str], list[str]]:
        """Expressions of a value's text: for where all of it is ASCII, and for any case."""
        optional = is_optional(schema)
        bare, none = (schema[1], f"'\\0' if {name} is None else ") if optional else (schema, "")
        table, arm = ("PRESENT", "'\\2' + ") if optional else ("SHORT", "")
        if bare == "string":
            careful = f"{none}{arm}text({name})"
            short = f"{table}[len({name})]"
            return ([f"{none}{short} + {name}"] if optional else [short, name]), [careful]
        if bare == "long":
            item = f"{none}({table}[{name}] if type({name}) is int and 0 <= {name} < 64 else {arm}long({name}))"
        elif bare == "boolean":
            yes, no = ("'\\2\\1'", "'\\2\\0'") if optional else ("'\\1'", "'\\0'")
            item = f"{none}({yes} if {name} is True else {no} if {name} is False else refuse({name}))"
        else:
            symbols = self._symbols_of(bare) or {}
            given: dict[str | None, str] = {
                one: "\x02" + piece if optional else piece for one, piece in symbols.items()
            }
            if optional:
                given[None] = "\x00"
            item = f"{self._source.known(given)}[{name}]"
        return [item], [item]

    def _optional_record(self, schema: Any, name: str) -> None:
        self._flush()
        with self._source.within(f"if {name} is None:"):
            self._source.add("out.append(0)")
        with self._source.within("else:"):
            self._quick, self._careful = ["'\\2'"], ["'\\2'"]
            self._record(schema, name)
            self._flush()

    def _seldom(self, schema: Any, name: str) -> None:
        """A value that is not there, mostly, or empty: then it does not end the run."""
        items = schema["items"] if isinstance(schema, dict) and schema["type"] == "array" else None
        if items is not None and self._is_struct(items) and self._is_flat(items):
            self._list(schema, items, name)
            return
        there = f"{name} is None" if is_optional(schema) else f"not {name}"
        piece = self._source.known(part(self._of(schema)))
        self._source.add(f"{name} = '\\0' if {there} else {piece}({name})")
        self._quick.append(name)
        self._careful.append(name)

    def _is_struct(self, schema: Any) -> bool:
        """True for a record without unknown fields, in which nothing has some: what has travels as a mapping."""
        if not is_record(schema) or not self._closed(schema):
            return False
        inner = (_record_in(field["type"]) for field in schema["fields"])
        return all(one is None or self._is_struct(one) for one in inner)

    def _is_flat(self, schema: Any) -> bool:
        return all(self._is_inline(field["type"]) for field in schema["fields"])

    def _list(self, schema: Any, items: Any, name: str) -> None:
        """A list of records that have nothing but simple fields: one run of its own."""
        source, write = self._source, self._source.known(self._of(schema))
        self._flush()
        with source.within(f"if {name}.__class__ is list:"):
            source.add(f"parts = [SHORT[len({name})]]")
            with source.within(f"for one in {name}:"):
                quick: list[str] = []
                for field in items["fields"]:
                    quick += self._items(field["type"], self._named(f"one.{field['name']}"))[0]
                source.add(f"parts += {', '.join(quick)}")
            source.add("run = ''.join(parts)")
            with source.within("if run.isascii():"):
                source.add(f"out += run.encode() + b'\\0' if {name} else b'\\0'")
            with source.within("else:"):
                source.add(f"{write}(out, {name})")
        with source.within("else:"):
            source.add(f"{write}(out, {name})")

    def _flush(self) -> None:
        """End the run."""
        if not self._quick:
            return
        source = self._source
        source.add(f"run = ''.join(({', '.join(self._quick)},))")
        with source.within("if run.isascii():"):
            source.add("out += run.encode()")
        with source.within("else:"):
            source.add(f"out += ''.join(({', '.join(self._careful)},)).encode('latin-1')")
        self._quick, self._careful = [], []


def _may_be_empty(schema: Any) -> bool:
    return isinstance(schema, dict) and schema["type"] in ("array", "map")


def _record_in(schema: Any) -> Any:
    """The record that a field is, or may be."""
    bare = schema[1] if is_optional(schema) else schema
    return bare if is_record(bare) else None


def _refuse(value: Any) -> str:
    raise TypeError(value)
