"""Read Avro records as fields of PostgreSQL's binary COPY: texts stay the bytes that they are.

Whoever reads a record to write it to Postgres needs none of its values; making them, and bytes of them again, was two
thirds of the work. What a column would not take as it is, a closer look decides about: U+0000, a time out of the
calendar, bytes that are not UTF-8.

Sources: Avro 1.12 specification, "Binary encoding"; see `copy_fields.py` for the other side.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from schemas.wire import copy_fields
from schemas.wire.avro_source import Read, Source, end_of, is_optional, is_record

Columns = Callable[[bytes, int], tuple[tuple[bytes, ...], int]]
"""From the bytes and a position to the fields and the position after them. Raises what broken bytes lead it to."""


class ColumnsSource:
    """Reads the fields of a record that `paths` name, as in `event.id`. `of` gives the function for lists."""

    def __init__(self, of: Callable[[Any, Any], Read], read_long: Read) -> None:
        self._of = of
        self._source = Source(
            "def read(raw, at):", read_long=read_long, end_of=end_of, null=copy_fields.NULL, size_of=copy_fields.size,
            sizes=[copy_fields.size(twice >> 1) for twice in range(0x80)], check=_check, moment=_moment_of(read_long),
            number=copy_fields.number, json=_json,
            numbers=[copy_fields.number((one >> 1) ^ -(one & 1)) for one in range(0x80)],
        )  # fmt: skip
        self._symbols: dict[str, dict[int, bytes]] = {}
        self._made: dict[str, str] = {}
        self._texts: list[str] = []

    def made(self, schema: Any, hint: Any, paths: Sequence[str]) -> Columns:
        """The function for a record that was written from a struct."""
        self._record(schema, hint, "")
        found = ", ".join(self._made[path] for path in paths)
        self._source.add(f"texts = b'\\n'.join(({', '.join(self._texts)},))")  # no character goes over a line's end
        self._source.add("if 0 in texts or not texts.isascii():", "    check(texts)")
        self._source.add("if at > len(raw):", "    end_of(raw, at)", f"return ({found},), at")
        read: Columns = self._source.function("read")
        return read

    def _record(self, schema: Any, hint: Any, within: str) -> None:
        hints = {field.name: field.type for field in msgspec.structs.fields(hint)}
        for field in schema["fields"]:
            path, kind, inner = f"{within}{field['name']}", field["type"], hints[field["name"]]
            if is_record(kind):
                self._record(kind, inner, f"{path}.")
                continue
            into = self._made[path] = self._source.local()
            if not is_optional(kind):
                self._field(kind, inner, into)
                continue
            self._source.add("arm = raw[at]", "at += 1", "if not arm:", f"    {into} = null")
            if kind[1] == "string":
                self._source.add(f"    {into}_text = b''")
            self._source.add("elif arm != 2:", "    raise ValueError(f'a union of two has no arm {arm / 2:g}')")
            with self._source.within("else:"):
                self._field(kind[1], inner, into)

    def _field(self, kind: Any, hint: Any, into: str) -> None:
        add, known = self._source.add, self._source.known
        if kind == "string":
            self._text(into)
        elif kind == "long":
            with self._source.within("if raw[at] < 0x80:"):
                add(f"{into} = numbers[raw[at]]", "at += 1")
            with self._source.within("else:"):
                add("value, at = read_long(raw, at)", f"{into} = number(value)")
        elif isinstance(kind, dict) and kind.get("logicalType") == "timestamp-micros":
            add(f"{into}, at = moment(raw, at)")
        elif isinstance(kind, dict) and kind["type"] == "array":
            add(f"value, at = {known(self._of(kind, hint))}(raw, at)", f"{into} = json(value)")
        else:
            add(f"{into} = {known(self._enum(kind))}[raw[at]]", "at += 1")

    def _text(self, into: str) -> None:
        source = self._source
        source.add("size = raw[at]")
        with source.within("if size < 0x80 and not size & 1:"):  # up to 63 bytes
            source.add("at += 1", "end = at + (size >> 1)", "size = sizes[size]")
        with source.within("else:"):
            source.add("size, at = read_long(raw, at)", "end = at + size", "end_of(raw, end, size)")
            source.add("size = size_of(size)")
        source.add(f"{into}_text = raw[at:end]", f"{into} = size + {into}_text", "at = end")
        self._texts.append(f"{into}_text")

    def _enum(self, kind: Any) -> dict[int, bytes]:
        """The symbols by the byte that stands for each; a closed list is short."""
        if isinstance(kind, dict):
            symbols = (symbol.encode() for symbol in kind["symbols"])
            self._symbols[kind["name"]] = {number << 1: copy_fields.text(one) for number, one in enumerate(symbols)}
            return self._symbols[kind["name"]]
        return self._symbols[kind]


def _check(text: bytes) -> None:
    if 0 in text:
        raise ValueError("U+0000 in a text")
    text.decode()


def _moment_of(read_long: Read) -> Callable[[bytes, int], tuple[bytes, int]]:
    """Reads a time. One from 2005 to 2084 has eight bytes of seven bits, which are pushed together in pairs."""
    first, last, shift, word, pack = _FIRST, _LAST, _SHIFT, _WORD.unpack_from, _LONG.pack

    def read(raw: bytes, at: int) -> tuple[bytes, int]:
        (bits,) = word(raw, at) if at + 8 <= len(raw) else (0,)
        if bits & 0x8080808080808081 != 0x0080808080808080:
            micros, at = read_long(raw, at)
            if not first <= micros <= last:
                raise ValueError("a time that no calendar has")
            return pack(8, micros - shift), at
        bits &= 0x7F7F7F7F7F7F7F7F
        bits = bits & 0x007F007F007F007F | (bits & 0x7F007F007F007F00) >> 1
        bits = bits & 0x00003FFF00003FFF | (bits & 0x3FFF00003FFF0000) >> 2
        return pack(8, ((bits & 0x0FFFFFFF | (bits & 0x0FFFFFFF00000000) >> 4) >> 1) - shift), at + 8

    return read


def _json(value: Any) -> bytes:
    text = msgspec.json.encode(value)
    if b"\\u0000" in text:
        raise ValueError("U+0000 in a text")
    return copy_fields.text(text)


_LONG, _WORD = struct.Struct(">iq"), struct.Struct("<Q")
_UNIX = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SHIFT = (copy_fields.EPOCH - _UNIX) // _MICROSECOND
_FIRST = (datetime.min.replace(tzinfo=UTC) - _UNIX) // _MICROSECOND
_LAST = (datetime.max.replace(tzinfo=UTC) - _UNIX) // _MICROSECOND
