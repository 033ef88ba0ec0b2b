"""Functions for the structs of a schema, made as source: the fields of a record, and of those in it, in one row.

A call for each field was most of what it cost to read a record. What is not a text, a number or a record is left to the
functions of `avro_read.py`, and so is every error. Writers are made in `avro_struct.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, get_origin

import msgspec

Read = Callable[[bytes, int], tuple[Any, int]]


class Source:
    """The lines of one function, and the names that they use."""

    def __init__(self, head: str, **names: Any) -> None:
        self._lines, self._indent, self._names, self._locals = [head], 1, names, 0

    def add(self, *lines: str) -> None:
        """Add lines, further in where they begin so."""
        self._lines += ["    " * self._indent + line for line in lines]

    def within(self, line: str) -> _Block:
        """Have what is added meanwhile stand further in, under this line."""
        self.add(line)
        return _Block(self)

    def deeper(self, by: int) -> None:
        """Move what is added from now on."""
        self._indent += by

    def known(self, value: Any) -> str:
        """A name for a value."""
        name = f"k{len(self._names)}"
        self._names[name] = value
        return name

    def local(self) -> str:
        """The name of a variable."""
        self._locals += 1
        return f"v{self._locals}"

    def function(self, name: str) -> Any:
        """The function of that name."""
        exec(compile("\n".join(self._lines), f"<{name} of an Avro record>", "exec"), self._names)  # noqa: S102 - ours
        return self._names[name]


class _Block:
    def __init__(self, source: Source) -> None:
        self._source = source

    def __enter__(self) -> None:
        self._source.deeper(1)

    def __exit__(self, *_: object) -> None:
        self._source.deeper(-1)


def is_optional(schema: Any) -> bool:
    """True for a union of null and one thing."""
    return isinstance(schema, list) and len(schema) == 2 and schema[0] == "null"


def is_record(schema: Any) -> bool:
    """True for a record that stands in full."""
    return isinstance(schema, dict) and schema["type"] == "record"


class ReaderSource:
    """Reads structs. `of` gives the function for a schema and the type to read as; `skip` one for a field to pass over.

    `present` takes None and annotations from a type, `count_of` gives the number of items of a block.
    """

    def __init__(
        self,
        of: Callable[[Any, Any], Read],
        skip: Callable[[str, Read, tuple[str, ...]], Read],
        present: Callable[[Any], Any],
        read_long: Read,
        count_of: Callable[[bytes, int, int], tuple[int, int]],
    ) -> None:
        self._of, self._skip, self._present = of, skip, present
        self._source = Source("def read(raw, at):", read_long=read_long, count_of=count_of, end_of=end_of)

    def made(self, schema: Any, hint: Any) -> Read:
        """The function for a record that is read as a struct."""
        self._record(schema, hint, "made")
        self._source.add("if at > len(raw):", "    end_of(raw, at)", "return made, at")
        read: Read = self._source.function("read")
        return read

    def many(self, schema: Any, hint: Any) -> Read:
        """The function for a list of them."""
        source = self._source
        source.add("made = []", "count, at = read_long(raw, at)")
        with source.within("while count:"):
            source.add("count, at = count_of(raw, at, count)")
            with source.within("for _ in range(count):"):
                self._record(schema, hint, "one")
                source.add("made.append(one)")
            source.add("count, at = read_long(raw, at)")
        source.add("if at > len(raw):", "    end_of(raw, at)", "return made, at")
        read: Read = source.function("read")
        return read

    def _record(self, schema: Any, hint: Any, into: str) -> None:
        wanted = {field.name: field for field in msgspec.structs.fields(hint)}
        given = []
        for field in schema["fields"]:
            name, kind = field["name"], field["type"]
            if name not in wanted:
                self._skipped(name, kind, tuple(wanted))
                continue
            value = self._source.local()
            given.append(f"{name}={value}")
            if is_optional(kind):
                self._optional(kind[1], wanted[name], value)
            else:
                self._value(kind, self._present(wanted[name].type), value)
        made = self._source.known(get_origin(hint) or hint)
        self._source.add(f"{into} = {made}({', '.join(given)})")

    def _optional(self, kind: Any, field: Any, into: str) -> None:
        self._arm(f"{into} = {self._default(field)}")
        with self._source.within("else:"):
            self._value(kind, self._present(field.type), into)

    def _skipped(self, name: str, kind: Any, wanted: tuple[str, ...]) -> None:
        optional = is_optional(kind)
        read = self._source.known(self._skip(name, self._of(kind[1] if optional else kind, None), wanted))
        if not optional:
            self._source.add(f"at = {read}(raw, at)[1]")
            return
        self._arm("pass")
        with self._source.within("else:"):
            self._source.add(f"at = {read}(raw, at)[1]")

    def _arm(self, absent: str) -> None:
        self._source.add("arm = raw[at]", "at += 1", "if not arm:", f"    {absent}")
        self._source.add("elif arm != 2:", "    raise ValueError(f'a union of two has no arm {arm / 2:g}')")

    def _default(self, field: Any) -> str:
        if field.default_factory is not msgspec.NODEFAULT:
            return f"{self._source.known(field.default_factory)}()"
        if field.default is not msgspec.NODEFAULT:
            return self._source.known(field.default)
        return f"{self._source.known(_missing)}({field.name!r})"

    def _value(self, kind: Any, hint: Any, into: str) -> None:
        source = self._source
        if kind == "string":
            source.add("size = raw[at]")
            with source.within("if size < 0x80 and not size & 1:"):  # up to 63 bytes
                source.add("at += 1")
            with source.within("else:"):
                source.add("size, at = read_long(raw, at)", "size <<= 1", "end_of(raw, at + (size >> 1), size)")
            source.add("end = at + (size >> 1)", f"{into} = raw[at:end].decode()", "at = end")
        elif kind == "boolean":
            source.add("byte = raw[at]", "at += 1", "if byte > 1:", "    raise ValueError(f'a boolean of {byte}')")
            source.add(f"{into} = byte == 1")
        elif is_record(kind) and is_struct(hint):
            self._of(kind, hint)  # so that the name is known where it comes again
            self._record(kind, hint, into)
        else:
            source.add(f"{into}, at = {source.known(self._of(kind, hint))}(raw, at)")


Fields = Sequence[tuple[Any, bool, Read]]
"""Name, whether it is a union of null and something, and how it is read when it is there."""


def fields_reader(fields: Fields, read_text: Read) -> Read:
    """Reads the fields of a record into a mapping, nulls left out. Texts that are read so are mostly read in place."""
    source = Source("def read(raw, at):", read_text=read_text, no_arm=_no_arm)
    source.add("out, whole = {}, len(raw)")
    for name, optional, read in fields:
        into = f"out[{source.known(name)}]"  # never the name itself: others' schemas are read, too
        if optional:
            source.add("arm = raw[at]", "at += 1", "if arm:")
            source.deeper(1)
            source.add("if arm != 2:", "    no_arm(arm)")
        if read is read_text:
            source.add("size = raw[at]", "end = at + 1 + (size >> 1)")
            source.add("if size < 0x80 and not size & 1 and end <= whole:")  # up to 63 bytes
            source.add(f"    {into} = raw[at + 1 : end].decode()", "    at = end", "else:")
            source.add(f"    {into}, at = read_text(raw, at)")
        else:
            source.add(f"{into}, at = {source.known(read)}(raw, at)")
        if optional:
            source.deeper(-1)
    source.add("return out, at")
    made: Read = source.function("read")
    return made


def _no_arm(arm: int) -> None:
    raise ValueError(f"a union of two has no arm {arm / 2:g}")


def is_struct(hint: Any) -> bool:
    """True for a type of structs, generic or not."""
    made = get_origin(hint) or hint
    return isinstance(made, type) and issubclass(made, msgspec.Struct)


def end_of(raw: bytes, at: int, size: int = 0) -> None:
    """Refuse an end that is past all bytes. Raises ValueError."""
    if size < 0 or at > len(raw):
        raise ValueError(f"{at} bytes announced, {len(raw)} there")


def _missing(name: str) -> None:
    raise ValueError(f"{name} is null")
