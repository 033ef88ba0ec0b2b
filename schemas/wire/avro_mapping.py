"""Writers of mappings, made as source: the fields of a record in one row, and how the unknown ones are found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from schemas.wire.avro_pieces import Write
from schemas.wire.avro_source import Source, is_optional


class MappingSource:
    """Writes mappings that are as their schema has them; others raise one of MISFIT, and something was written.

    `of` gives the function for any schema, `write_extra` writes what is unknown.
    """

    def __init__(self, of: Callable[[Any], Write], write_long: Write, write_extra: Write, extra: str) -> None:
        self._of, self._extra, self._missing = of, extra, object()
        self._source = Source(
            "def write(out, value):", write_long=write_long, write_extra=write_extra, missing=self._missing
        )
        self._source.add("add, get = out.append, value.get")

    def made(self, schema: Any, absent: Mapping[str, bytes | None]) -> Write:
        """The function for mappings of a record; `absent` has the bytes of fields that are not there."""
        source, names = self._source, frozenset(field["name"] for field in schema["fields"]) - {self._extra}
        for field in schema["fields"]:
            name, kind = field["name"], field["type"]
            if name == self._extra:  # the last one
                known = source.known(names)
                source.add(f"if {known}.issuperset(value):", "    out += b'\\x04{}'")
                source.add("else:", f"    write_extra(out, {{n: one for n, one in value.items() if n not in {known}}})")
            elif is_optional(kind):
                source.add(f"found = get({name!r})")
                with source.within("if found is None:"):
                    source.add("add(0)")
                with source.within("else:"):
                    source.add("add(2)")
                    self._value(kind[1])
            elif absent[name] is None:
                source.add(f"found = value[{name!r}]")
                self._value(kind)
            else:
                source.add(f"found = get({name!r}, missing)")
                with source.within("if found is missing:"):
                    source.add(f"out += {absent[name]!r}")
                with source.within("else:"):
                    self._value(kind)
        write: Write = source.function("write")
        return write

    def _value(self, kind: Any) -> None:
        source = self._source
        if kind == "string":
            source.add("raw = found.encode()", "size = len(raw)")
            source.add("add(size << 1) if size < 64 else write_long(out, size)", "out += raw")
        elif kind == "long":
            source.add("if type(found) is int and 0 <= found < 8192:")
            source.add("    if found < 64:", "        add(found << 1)")
            source.add("    else:", "        add(found << 1 & 0x7F | 0x80)", "        add(found >> 6)")
            source.add("else:", "    write_long(out, found)")
        else:
            source.add(f"{source.known(self._of(kind))}(out, found)")
