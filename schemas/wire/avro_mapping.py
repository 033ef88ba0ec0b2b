"""Writers of mappings, made as source for each shape that comes often.

A shape is the names of a mapping in their order. An event has a dozen fields of forty; to ask for each of them was most
of what it cost to write one. Of a shape it is known what is missing, and what stands beside the known fields. Of a
record with an id, an optional name, a dozen fields that are not there, and an order comes

    def write(out, value):
        v1, v2, v3, = value.values()
        v1 = v1.encode()
        if v2 is None: …
        out += b"".join((LENGTHS[len(v1)], v1, h2, v2, b"\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0"))
        k1(out, v3)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from schemas.wire.avro_pieces import LENGTHS, MISFIT, PRESENT_LENGTHS, SHORT, WIDE, ToBytes, Write
from schemas.wire.avro_source import Source, is_optional

_OFTEN = 8
"""Mappings of a shape after which a function is made for it: that takes as long as writing some hundred of them."""
_MOST_SHAPES = 256
"""Shapes that are counted, or have a function; then all are forgotten. Upstream may name fields as it likes."""

Shape = tuple[str, ...]


class ShapeSource:
    """Writes mappings of one shape that are as their schema has them; others raise one of MISFIT.

    `of` gives the writer of any schema, `symbols` those of an enum by its name; `long`, `number` (it may be null) and
    `moment` the bytes of a value.
    """

    def __init__(
        self,
        of: Callable[[Any], Write],
        symbols: Mapping[str, Mapping[str, str]],
        long: ToBytes,
        number: ToBytes,
        moment: ToBytes,
    ) -> None:
        self._of, self._symbols, self._run = of, symbols, list[str | bytes]()
        self._source = Source(
            "def write(out, value):",
            LENGTHS=LENGTHS, PRESENT=PRESENT_LENGTHS, long=long, number=number, moment=moment, refuse=_refuse,
            json=msgspec.json.encode, join=b"".join,
        )  # fmt: skip

    def made(self, schema: Any, shape: Shape, absent: Mapping[str, bytes | None], extra: str) -> Write | None:
        """The function for a shape of a record; None where it lacks what has to be there.

        `absent` has the bytes of fields that are not there, `extra` is the name of the one with all unknown ones.
        """
        given = {name: self._source.local() for name in shape}
        if given:
            self._source.add(f"{', '.join(given.values())}, = value.values()")
        known = {field["name"] for field in schema["fields"]} - {extra}
        for field in schema["fields"]:
            name, missing = field["name"], absent[field["name"]]
            if name == extra:  # the last one
                self._unknown({name: local for name, local in given.items() if name not in known})
            elif name in given:
                self._field(field["type"], given[name])
            elif missing is None:
                return None
            else:
                self._run.append(missing)
        self._flush()
        write: Write = self._source.function("write")
        return write

    def _unknown(self, given: Mapping[str, str]) -> None:
        if given:
            made = self._source.local()
            self._source.add(f"{made} = {{{', '.join(f'{name!r}: {local}' for name, local in given.items())}}}")
            self._with_length(f"json({made})", made, is_there=True)
        else:
            self._run.append(b"\x04{}")

    def _field(self, schema: Any, name: str) -> None:
        bare, there = (schema[1], False) if is_optional(schema) else (schema, True)
        kind = bare.get("logicalType") if isinstance(bare, dict) else bare
        if kind in ("string", "json"):
            self._with_length(f"{name}.encode()" if kind == "string" else f"json({name})", name, is_there=there)
        elif (written := self._written(schema if kind is None else kind, bare, name, is_there=there)) is not None:
            self._run.append(written if there else f"b'\\0' if {name} is None else {written}")
        else:
            self._apart(bare, name, is_there=there)

    def _with_length(self, made: str, name: str, *, is_there: bool) -> None:
        """A text or JSON, behind its length."""
        source = self._source
        if is_there:
            source.add(f"{name} = {made}")
            self._run += [f"LENGTHS[len({name})]", name]
            return
        size = source.local()
        source.add(f"if {name} is None:", f"    {size}, {name} = b'\\0', b''")
        source.add("else:", f"    {name} = {made}", f"    {size} = PRESENT[len({name})]")
        self._run += [size, name]

    def _written(self, kind: Any, bare: Any, name: str, *, is_there: bool) -> str | None:
        """The expression of a value's bytes, with its arm where it is optional; None for one of another kind."""
        table, arm = ("LENGTHS", "") if is_there else ("PRESENT", "b'\\2' + ")
        small = f"type({name}) is int and 0 <= {name} < {len(SHORT)}"
        if kind == "long":
            return f"{table}[{name}] if {small} else {arm}long({name})"
        if kind == ["null", "long", "double"]:
            return f"PRESENT[{name}] if {small} else number({name})"
        if kind == "boolean":
            yes, no = ("b'\\1'", "b'\\0'") if is_there else ("b'\\2\\1'", "b'\\2\\0'")
            return f"{yes} if {name} is True else {no} if {name} is False else refuse({name})"
        if kind == "timestamp-micros":
            return f"{arm}moment({name})"
        symbols = self._symbols.get(bare["name"] if isinstance(bare, dict) and "name" in bare else str(bare))
        if symbols is None:
            return None
        numbered = {one: ("" if is_there else "\2") + piece for one, piece in symbols.items()}
        return f"{self._source.known({one: piece.encode(WIDE) for one, piece in numbered.items()})}[{name}]"

    def _apart(self, bare: Any, name: str, *, is_there: bool) -> None:
        """A value that is written by its own function."""
        self._flush()
        own = f"{self._source.known(self._of(bare))}(out, {name})"
        if is_there:
            self._source.add(own)
        else:
            self._source.add(f"if {name} is None:", "    out.append(0)", "else:", "    out.append(2)", f"    {own}")

    def _flush(self) -> None:
        """Have what was gathered written at once; what is always the same is one text."""
        items: list[str | bytes] = []
        for one in self._run:
            if isinstance(one, bytes) and items and isinstance(items[-1], bytes):
                items[-1] += one
            else:
                items.append(one)
        shown = [repr(one) if isinstance(one, bytes) else one for one in items]
        if shown:
            self._source.add(f"out += join(({', '.join(shown)},))" if len(shown) > 1 else f"out += {shown[0]}")
        self._run = []


def by_shape(make: Callable[[Shape], Write | None], field_by_field: Write, from_struct: Write) -> Write:
    """Write mappings by functions of their shapes, which `make` gives, and structs by one of their own.

    Field by field go mappings that are not as a function has them, and those of which few came.
    """
    made: dict[Shape, Write] = {}
    came: dict[Shape, int] = {}

    def count(shape: Shape) -> None:
        if len(came) >= _MOST_SHAPES:
            came.clear()
            made.clear()
        came[shape] = came.get(shape, 0) + 1
        if came[shape] == _OFTEN and (of_shape := make(shape)) is not None:
            made[shape] = of_shape

    def write(out: bytearray, value: Any) -> None:
        if not isinstance(value, dict):
            from_struct(out, value)
            return
        shape = tuple(value)
        of_shape = made.get(shape)
        if of_shape is None:
            count(shape)
            field_by_field(out, value)
            return
        begins = len(out)
        try:
            of_shape(out, value)
        except MISFIT:
            del out[begins:]
            field_by_field(out, value)

    return write


def _refuse(value: Any) -> bytes:
    raise TypeError(value)
