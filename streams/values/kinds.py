"""The kinds of values in documents: each once, how it is read, what is said of a wrong one, its schema.

Every problem says what was given and then what is allowed, as in `7 is not valid: must be true or false`; among names,
which are known and the nearest one. Documents declare their keys with these: what is checked is what editors are told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date
from typing import Any, Generic, Literal, Protocol, TypeVar

from schemas.formats.days import read_moment
from schemas.formats.durations import DURATION_PATTERN, LONGEST, parse_duration
from schemas.record import JsonObject
from streams.values.wording import Report, a_mapping, invalid, known_names, refuse_unknown, under, unknown

LARGEST = 2**53 - 1
"""The largest number that every reader of JSON keeps exactly."""
_ID_CHARACTERS = "[A-Za-z0-9_.-]"

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Value(Protocol[T_co]):
    """A kind of value."""

    @property
    def allowed(self) -> str:
        """The words after `must be`."""

    def read(self, value: object, at: str, report: Report) -> T_co | None:
        """The value as it is kept. None, after saying why, for a wrong one and for None, which is a missing one."""

    def schema(self) -> JsonObject:
        """The same as JSON Schema, as far as that can say it."""


NullMeans = Literal["absent", "wrong", "itself"]
"""As if the key were not written, a wrong value, or a value of its own."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a mapping, and what null means there: that is what stands behind a key where nothing is written.

    `doc` is what it is for, `default` what holds without it, in words, and `example` a value of it, in YAML.
    """

    holds: Value[Any]
    required: bool = False
    null: NullMeans = "absent"
    doc: str = ""
    default: str = ""
    example: str = ""


Keys = Mapping[str, Key]


# -- values that stand alone ----------------------------------------------------------------------------------------


class Plain(Generic[T]):
    """A value of which a sentence says what is allowed."""

    __slots__ = ()

    @property
    def allowed(self) -> str:
        """The words after `must be`."""
        raise NotImplementedError

    def accepted(self, value: object) -> T | None:
        """The value as it is kept, or None."""
        raise NotImplementedError

    def read(self, value: object, at: str, report: Report) -> T | None:
        """See `Value`."""
        taken = self.accepted(value)
        if taken is None:
            report(at, invalid(value, self.allowed))
        return taken


@dataclass(frozen=True, slots=True)
class Text(Plain[str]):
    """A text that is not blank. `hint` says what it is for, with the punctuation before it."""

    hint: str = ""
    most: int | None = None

    @property
    def allowed(self) -> str:
        return f"a text{f' of at most {self.most} characters' if self.most else ''}{self.hint}"

    def accepted(self, value: object) -> str | None:
        fits = isinstance(value, str) and value.strip() and (self.most is None or len(value) <= self.most)
        return str(value) if fits else None

    def schema(self) -> JsonObject:
        return {"type": "string", "pattern": r"\S", **({"maxLength": self.most} if self.most else {})}


@dataclass(frozen=True, slots=True)
class Identifier(Plain[str]):
    """An id that authors give."""

    example: str
    most: int = 128

    @property
    def allowed(self) -> str:
        form = f"an id of letters, digits, dash, dot and underscore, at most {self.most} long"
        return f"{form}, such as {self.example}"

    def accepted(self, value: object) -> str | None:
        return value if isinstance(value, str) and re.fullmatch(self._pattern(), value) else None

    def schema(self) -> JsonObject:
        return {"type": "string", "pattern": f"^{self._pattern()}$"}

    def _pattern(self) -> str:
        return f"{_ID_CHARACTERS}{{1,{self.most}}}"


@dataclass(frozen=True, slots=True)
class Flag(Plain[bool]):
    """Yes or no."""

    @property
    def allowed(self) -> str:
        return "true or false"

    def accepted(self, value: object) -> bool | None:
        return value if isinstance(value, bool) else None

    def schema(self) -> JsonObject:
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Whole(Plain[int]):
    """A whole number within limits."""

    least: int
    most: int = LARGEST
    hint: str = ""

    @property
    def allowed(self) -> str:
        upto = f" to {self.most}" if self.most != LARGEST else ""
        return f"a whole number from {self.least}{upto}{self.hint}"

    def accepted(self, value: object) -> int | None:
        if isinstance(value, int) and not isinstance(value, bool) and self.least <= value <= self.most:
            return value
        return None

    def schema(self) -> JsonObject:
        return {"type": "integer", "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True, slots=True)
class Moment(Plain[str]):
    """A date or a point in time; kept as written, since only a project's zone makes an instant of a day."""

    @property
    def allowed(self) -> str:
        return "a date, as in 2026-11-20 or 2026-11-20T09:00:00Z"

    def accepted(self, value: object) -> str | None:
        return None if read_moment(value, UTC) is None else str(plain_json(value))

    def schema(self) -> JsonObject:
        return {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}"}


@dataclass(frozen=True, slots=True)
class Span(Plain[int]):
    """A duration; kept in seconds."""

    @property
    def allowed(self) -> str:
        return f"a duration of at most {LONGEST.days}d: a whole number and s, m, h, d or w, as in 30m or 3d"

    def accepted(self, value: object) -> int | None:
        try:
            span = parse_duration(value)
        except ValueError:
            return None
        return int(span.total_seconds()) if span <= LONGEST else None

    def schema(self) -> JsonObject:
        return {"type": "string", "pattern": f"^{DURATION_PATTERN}$"}


@dataclass(frozen=True, slots=True)
class Free(Plain[JsonObject]):
    """A mapping of whatever its author likes."""

    @property
    def allowed(self) -> str:
        return "a mapping"

    def accepted(self, value: object) -> JsonObject | None:
        return plain_json(value) if isinstance(value, Mapping) else None

    def schema(self) -> JsonObject:
        return {"type": "object"}


@dataclass(frozen=True, slots=True)
class AsWritten:
    """Taken as it stands: what it refers to, or what stands beside it, decides what is right."""

    allowed: str = "a text"
    form: JsonObject = field(default_factory=lambda: {"type": "string"})

    def read(self, value: object, at: str, report: Report) -> Any:
        """See `Value`."""
        return value

    def schema(self) -> JsonObject:
        """See `Value`."""
        return dict(self.form)


@dataclass(frozen=True, slots=True)
class OneOf:
    """A member of a closed list."""

    options: tuple[str, ...]

    @property
    def allowed(self) -> str:
        """See `Value`."""
        return f"one of {', '.join(self.options)}"

    def read(self, value: object, at: str, report: Report) -> str | None:
        """See `Value`."""
        if isinstance(value, str) and value in self.options:
            return value
        report(at, unknown(value, self.options))
        return None

    def schema(self) -> JsonObject:
        return {"enum": list(self.options)}


# -- values of which several stand together -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ListOf(Generic[T]):
    """A list of at least `least` values of one kind. `example` is one of them."""

    item: Value[T]
    example: str
    least: int = 1
    most: int | None = None

    @property
    def allowed(self) -> str:
        """See `Value`."""
        some = f"at least {_count(self.least)} of " if self.least else ""
        return f"a list of {some}{self.example}"

    def read(self, value: object, at: str, report: Report) -> list[T] | None:
        """See `Value`."""
        if not isinstance(value, list | tuple) or len(value) < self.least:
            report(at, invalid(value, self.allowed))
            return None
        if self.most is not None and len(value) > self.most:
            report(at, f"has {len(value)} entries; at most {self.most} are allowed")
            return None
        read = [self.item.read(one, f"{at}[{number}]", report) for number, one in enumerate(value)]
        return [one for one in read if one is not None]

    def schema(self) -> JsonObject:
        upto = {} if self.most is None else {"maxItems": self.most}
        return {"type": "array", "minItems": self.least, **upto, "items": self.item.schema()}


@dataclass(frozen=True, slots=True)
class Group:
    """A mapping with keys of its own: what is written, without what is left to its default."""

    keys: Keys
    example: str = ""

    @property
    def allowed(self) -> str:
        """See `Value`."""
        return a_mapping(self.keys, self.example)

    def read(self, value: object, at: str, report: Report) -> JsonObject | None:
        """See `Value`."""
        if not isinstance(value, Mapping):
            report(at, invalid(value, self.allowed))
            return None
        refuse_unknown(value, self.keys, at, report)
        return read_keys(value, self.keys, at, report)

    def schema(self) -> JsonObject:
        return {
            "type": "object",
            "properties": {name: _key_schema(key) for name, key in self.keys.items()},
            "required": [name for name, key in self.keys.items() if key.required],
            "additionalProperties": False,
        }


@dataclass(frozen=True, slots=True)
class Varies:
    """A mapping whose other keys depend on what the key `by` says."""

    by: str
    groups: Mapping[str, Keys]
    example: str = ""

    @property
    def allowed(self) -> str:
        """See `Value`."""
        return a_mapping((), self.example) if self.example else "a mapping"

    @property
    def common(self) -> Keys:
        """The keys that it has whatever `by` says, without that one."""
        first, *others = self.groups.values()
        return {name: key for name, key in first.items() if name != self.by and all(name in one for one in others)}

    def read(self, value: object, at: str, report: Report) -> JsonObject | None:
        """See `Value`."""
        if not isinstance(value, Mapping):
            report(at, invalid(value, self.allowed))
            return None
        kind = OneOf(tuple(self.groups)).read(value.get(self.by), under(at, self.by), report)
        if kind is None:
            return read_keys(value, self.common, at, report)
        keys, every = self.groups[kind], {name for group in self.groups.values() for name in group}
        for name in [name for name in value if name in every and name not in keys]:
            report(under(at, name), f"is not a key of a {kind}: {known_names(keys)}")
        refuse_unknown([name for name in value if name not in every], keys, at, report)
        return read_keys(value, keys, at, report)

    def schema(self) -> JsonObject:
        forms = [
            {"if": self._says(kind), "then": Group({**keys, self.by: Key(OneOf((kind,)), required=True)}).schema()}
            for kind, keys in self.groups.items()
        ]
        one = {"properties": {self.by: OneOf(tuple(self.groups)).schema()}, "required": [self.by]}
        return {"type": "object", **one, "allOf": forms}

    def _says(self, kind: str) -> JsonObject:
        return {"properties": {self.by: {"const": kind}}, "required": [self.by]}


def read_keys(source: Mapping[Any, Any], keys: Keys, at: str, report: Report) -> JsonObject:
    """The values of the keys that are written, and a problem for each that is wrong or missing."""
    found: JsonObject = {}
    for name, key in keys.items():
        value = source.get(name)
        is_absent = value is None and (name not in source or key.null == "absent")
        if value is None and name in source and key.null == "itself":
            found[name] = None
        elif not is_absent or key.required:
            read = key.holds.read(value, under(at, name), report)
            found |= {} if read is None else {name: read}
    return found


def _key_schema(key: Key) -> JsonObject:
    schema = key.holds.schema()
    return {**schema, "type": [schema["type"], "null"]} if key.null == "itself" else schema


def plain_json(value: Any) -> Any:
    """A value as JSON has it: dates that YAML made of texts become texts again."""
    if isinstance(value, Mapping):
        return {str(name): plain_json(item) for name, item in value.items()}
    if isinstance(value, list):
        return [plain_json(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value


def _count(number: int) -> str:
    return "one" if number == 1 else str(number)
