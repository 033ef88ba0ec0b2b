"""The description of a custom event, as its author writes it: the fields of its `event`, each with its kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from schemas.events.event import MAX_ID
from schemas.events.triggers import TRIGGERS, object_fields
from schemas.formats.paths import PATH_PATTERN, path_text, read_names
from schemas.names import did_you_mean
from schemas.record import JsonObject
from streams.conditions.answer import Kind
from streams.conditions.fields import EVENT, Fields, Found, Unknown
from streams.conditions.language import Path
from streams.values.kinds import Group, Identifier, Key, Text
from streams.values.reader import DocumentReader
from streams.values.wording import Report, invalid, unknown

CUSTOM_EVENT = "customer.custom_event"
KINDS: tuple[Kind, ...] = get_args(Kind)
MOST = 500
"""Fields of one event."""

_OPEN = ("object", "any")
"""Kinds of fields whose own fields nobody has to describe."""


@dataclass(frozen=True, slots=True)
class FieldKinds:
    """Paths of fields, each with its kind."""

    @property
    def allowed(self) -> str:
        """See `Value`."""
        return f"a mapping of paths such as event.metadata.price to one of {', '.join(KINDS)}"

    def read(self, value: object, at: str, report: Report) -> dict[Path, Kind] | None:
        """See `Value`."""
        if not isinstance(value, Mapping) or not 0 < len(value) <= MOST:
            report(at, invalid(value, f"{self.allowed}, at most {MOST} of them"))
            return None
        found = {path: kind for name, kind in value.items() if (path := self._path(name, kind, at, report))}
        return found if len(found) == len(value) else None

    def _path(self, name: object, kind: object, at: str, report: Report) -> Path | None:
        where = f"{at}.{path_text((str(name),))}"
        try:
            path = read_names(name)
        except ValueError as error:
            report(where, f'"{name}" {str(error).replace("is a path", "is not a path")}')
            return None
        if path[0] != EVENT or len(path) == 1:
            report(where, f'"{name}" is not valid: must begin with {EVENT}., as event.metadata.price does')
            return None
        if kind not in KINDS:
            report(where, unknown(kind, KINDS))
            return None
        return path

    def schema(self) -> JsonObject:
        """See `Value`."""
        names = {"pattern": rf"^{EVENT}\.{PATH_PATTERN}$"}
        return {
            "type": "object",
            "minProperties": 1,
            "propertyNames": names,
            "additionalProperties": {"enum": [*KINDS]},
        }


EVENT_SCHEMA = Group(
    {
        "event_schema": Key(
            Identifier("ms_wishlist", most=MAX_ID),
            required=True,
            doc="Its id, by which triggers select (`event_schema: ms_wishlist`).",
            example="ms_wishlist",
        ),
        "name": Key(Text(": what people call it"), doc="What people call it.", default="its id", example="Wish list"),
        "fields": Key(
            FieldKinds(),
            required=True,
            doc="Each field of `event` that comes, and its kind. Of one that is an `object` or `any`, what is inside"
            " may be left out.",
            example="{event.metadata.price: number, event.metadata.product: text}",
        ),
    }
)
"""All that the description of a custom event may say."""


@dataclass(frozen=True, slots=True)
class EventDescription:
    """A custom event's fields, by path."""

    id: str
    fields: Mapping[Path, Kind]

    def names(self) -> Fields:
        """The paths that a condition on such an event may name."""
        return _Described(self)


class _Described(Fields):
    """The fields of a custom event, of its `event` those alone that are described."""

    def __init__(self, description: EventDescription) -> None:
        trigger = TRIGGERS[CUSTOM_EVENT]
        hints = object_fields(trigger.data)
        super().__init__({name: hints[name] for name in trigger.objects}, closed=True)
        self._own, self._id = description.fields, description.id
        self._envelope = {(EVENT,), *((EVENT, name) for name in object_fields(hints[EVENT]))}

    def _find(self, path: Path) -> Found | Unknown:
        kind = self._own.get(path)
        if kind is not None:
            return Found(kind)
        if path[0] != EVENT or path in self._envelope:
            return super()._find(path)
        if any(self._own.get(path[:depth]) in _OPEN for depth in range(1, len(path))):
            return Found("any")
        if any(known[: len(path)] == path for known in self._own):
            return Found("object")
        names = [path_text(known) for known in self._own]
        written = path_text(path)
        hint = did_you_mean(written, names)
        return Unknown(f'"{written}": {self._id} has no such field.{hint} There are: {", ".join(names)}.')


def parse_event_schema(source: object) -> EventDescription:
    """Check a description. Raises DefinitionInvalid with all problems, each with path and valid options."""
    reader = _Reader()
    return reader.checked(reader.event_schema(source))


class _Reader(DocumentReader):
    def event_schema(self, source: object) -> EventDescription | None:
        written = self._document(source, "description of an event", EVENT_SCHEMA.keys)
        read = None if written is None else self._value(EVENT_SCHEMA, written, "")
        return None if not read or self.problems else EventDescription(str(read["event_schema"]), read["fields"])
