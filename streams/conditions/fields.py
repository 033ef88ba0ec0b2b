"""The paths that a condition may name, and what they hold."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, get_args, get_origin

import msgspec

from schemas.events.objects import Customer
from schemas.events.triggers import TRIGGERS, Trigger, object_fields
from schemas.formats.paths import path_text
from schemas.names import nearest
from streams.conditions.answer import Kind
from streams.conditions.language import SEGMENTS

EVENT = "event"
EVENT_FIELDS: dict[str, Any] = {"id": str, "type": str, "created_at": str}
"""The fields of the envelope that a condition may name, as `event.created_at`."""

_PATHS_KEPT = 4096
"""Paths whose kind is remembered: many distributions name the same few."""

_KINDS: dict[Any, Kind] = {
    str: "text",
    int: "number",
    float: "number",
    int | float: "number",
    bool: "boolean",
    datetime: "text",
}


@dataclass(frozen=True, slots=True)
class Found:
    """A path that is valid: its kind, and for a list what its items are."""

    kind: Kind
    item: Any = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """A path that is not; `message` says which are."""

    message: str


class Fields:
    """The names at the top of a condition: a trigger's objects, or the fields of a list's item."""

    def __init__(self, roots: dict[str, Any], *, closed: bool, has_segments: bool = False) -> None:
        self._roots = roots
        self._closed = closed
        self.has_segments = has_segments
        self.find = lru_cache(_PATHS_KEPT)(self._find)

    @classmethod
    @cache
    def of(cls, trigger: Trigger) -> Fields:
        """The objects of an event type, and `event` itself."""
        hints = object_fields(trigger.data)
        envelope = {} if EVENT in trigger.objects else {EVENT: EVENT_FIELDS}
        return cls({name: hints[name] for name in trigger.objects} | envelope, closed=True, has_segments=True)

    @classmethod
    @cache
    def of_item(cls, item: Any) -> Fields:
        """The fields of a list's items; open where the items are not of a known kind."""
        known = object_fields(item) if _is_struct(item) else {}
        return cls(known, closed=False)

    def names(self, path: tuple[str, ...] = ()) -> tuple[str, ...]:
        """The known names below a path; those at the top for an empty one."""
        names = self._roots
        for name in path:
            names = _fields_under(names[name]) if name in names else {}
        return tuple(names)

    def _find(self, path: tuple[str, ...]) -> Found | Unknown:
        """The kind of value that the path leads to."""
        names, closed, hint = self._roots, self._closed, Any
        for depth, name in enumerate(path):
            if name not in names:
                problem = _unknown(path[: depth + 1], names, closed=closed)
                return problem or Found("any")
            hint = names[name]
            names, closed = _fields_under(hint), hint is EVENT_FIELDS
            if self.has_segments and path[: depth + 1] == SEGMENTS[:1]:
                names = {**names, SEGMENTS[1]: list[str]}
        return Found(kind_of_field(hint), get_args(hint)[0] if get_origin(hint) is list else None)


CUSTOMER_FIELDS = Fields({"customer": Customer}, closed=True)
"""The objects that a condition on customers may ask about: there is no event, so the customer is all there is.

Nor the segments that they are in, which such conditions are there to tell.
"""


def has_own_event(kind: str) -> bool:
    """True where events of a type carry an object `event`, which then stands for the name, and not the envelope."""
    trigger = TRIGGERS.get(kind)
    return trigger is not None and EVENT in trigger.objects


def _unknown(path: tuple[str, ...], names: dict[str, Any], *, closed: bool) -> Unknown | None:
    """Upstream may send fields that we do not know, so an unknown one is refused only when it looks like a slip."""
    name, parent = path[-1], path_text(path[:-1])
    meant = nearest(name, names)
    if meant is None and not closed:
        return None
    where = f"{parent} has no {name}" if parent else f"there is no {name} here"
    hint = f' Did you mean "{path_text((*path[:-1], meant))}"?' if meant else ""
    return Unknown(f'"{path_text(path)}": {where}.{hint} There are: {", ".join(names)}.')


def _is_struct(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, msgspec.Struct)


def _fields_under(hint: Any) -> dict[str, Any]:
    if hint is EVENT_FIELDS:
        return dict(EVENT_FIELDS)
    fields: dict[str, Any] = object_fields(hint) if _is_struct(hint) else {}
    return fields


def kind_of_field(hint: Any) -> Kind:
    """The kind of value that a type stands for."""
    if hint is EVENT_FIELDS or _is_struct(hint):
        return "object"
    origin = get_origin(hint)
    if origin is list:
        return "list"
    return "object" if origin is dict else _KINDS.get(hint, "any")
