"""Renders a designed body: the payload of a plan, compiled once, filled in from a delivery's objects at each send.

Values keep their kind: a number stays a bare number, an object goes out whole, with all that upstream sent. What the
event does not have, or has as null, is left out unless a default is there; so is an object of which nothing is left.
A default stands for a blank text as well.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import msgspec

from schemas.errors import RenderRefused
from schemas.formats.blank import is_blank
from schemas.formats.paths import Step, read_path
from schemas.payload import DEFAULT, FROM, VALUE, is_dynamic, is_escape
from schemas.record import JsonObject

_COMPILED_KEPT = 256
"""Payloads that stay compiled: one for each webhook that a worker sends to at a time."""

_ABSENT: Any = object()

Variables = dict[str, Any]
Fill = Callable[[Variables], Any]


def render_payload(payload: JsonObject, variables: Variables) -> JsonObject:
    """The payload with its values filled in. Raises RenderRefused for a payload that was never checked.

    Parts of the result may be parts of `variables` and of the payload: it is to be written, not to be changed.
    """
    filled = _compiled(msgspec.json.encode(payload))(variables)
    return {} if filled is _ABSENT else filled


@lru_cache(_COMPILED_KEPT)
def _compiled(payload: bytes) -> Fill:
    try:
        fill, _ = _node(msgspec.json.decode(payload))
    except ValueError as error:
        raise RenderRefused("template_error", f"the payload cannot be read: a path of it {error}") from error
    return fill


def _node(node: Any) -> tuple[Fill, bool]:
    """The function that makes a part, and whether it is the same for every event."""
    if isinstance(node, dict):
        if is_dynamic(node):
            return _dynamic(node), False
        inner = node[VALUE] if is_escape(node) else node
        return _object(inner if isinstance(inner, dict) else node)
    if isinstance(node, list):
        return _list(node)
    return _static(node), True


def _static(value: Any) -> Fill:
    return lambda _: value


def _object(members: dict[str, Any]) -> tuple[Fill, bool]:
    parts = [(name, *_node(member)) for name, member in members.items()]
    if all(static for _, _, static in parts):
        return _static({name: fill({}) for name, fill, _ in parts}), True
    fills = [(name, fill) for name, fill, _ in parts]

    def fill_in(variables: Variables) -> Any:
        made = {}
        for name, fill in fills:
            value = fill(variables)
            if value is not _ABSENT:
                made[name] = value
        return made or _ABSENT

    return fill_in, False


def _list(items: list[Any]) -> tuple[Fill, bool]:
    parts = [_node(item) for item in items]
    if all(static for _, static in parts):
        return _static([fill({}) for fill, _ in parts]), True
    fills = [fill for fill, _ in parts]
    return lambda variables: [value for fill in fills if (value := fill(variables)) is not _ABSENT], False


def _dynamic(node: dict[str, Any]) -> Fill:
    hops: tuple[tuple[Step, Any], ...] = tuple((step, _holder(step)) for step in read_path(node[FROM]))
    otherwise = node.get(DEFAULT, _ABSENT)

    def read(variables: Variables) -> Any:
        value: Any = variables
        try:
            for step, holder in hops:
                value = value[step] if value.__class__ is holder else None
        except (KeyError, IndexError):
            return otherwise
        blank = value.__class__ is str and otherwise is not _ABSENT and is_blank(value)
        return otherwise if value is None or blank else value

    return read


def _holder(step: Step) -> type:
    """The type that a step looks into; into anything else it leads nowhere."""
    return list if isinstance(step, int) else dict
