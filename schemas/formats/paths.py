"""Paths into an event's objects: one reader for conditions, payloads, re-entry and segments.

Steps are names, names in quotes where they hold a dot, a bracket or a quote (which is written `\\"`), and the places of
list items from 0: customer.id, order.items[0].sku_id, customer.metadata."first.order".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from schemas.formats.blank import is_blank

_NAME = r'[^."\[\]]+|"(?:[^"\\]|\\.)+"'
PATH_PATTERN = rf"({_NAME})(\[[0-9]{{1,4}}\]|\.({_NAME}))*"
"""What a path is, whole, as a regular expression that other languages read too."""

Step = str | int
Steps = tuple[Step, ...]
Names = tuple[str, ...]

_PATH = re.compile(PATH_PATTERN)
_STEP = re.compile(r'"((?:[^"\\]|\\.)+)"|\[([0-9]+)\]|([^."\[\]]+)')
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPED = re.compile(r'\\(["\\])')


def read_path(source: object) -> Steps:
    """The steps of a path. Raises ValueError that says how one is written."""
    if not isinstance(source, str) or not _PATH.fullmatch(source):
        raise ValueError('is a path, as in customer.id, order.items[0].sku_id or customer.metadata."first.order"')
    return tuple(_step(*parts) for parts in _STEP.findall(source))


def read_names(source: object) -> Names:
    """The steps of a path that goes through names alone. Raises ValueError."""
    steps = read_path(source)
    names = tuple(step for step in steps if isinstance(step, str))
    if len(names) < len(steps):
        raise ValueError("names an item of a list by its place; any_item, every_item and count ask about items")
    return names


def path_text(steps: Iterable[Step]) -> str:
    """Steps as a path is written."""
    parts = (f"[{step}]" if isinstance(step, int) else f".{_quoted(step)}" for step in steps)
    return "".join(parts).removeprefix(".")


def value_at(path: Steps, facts: Mapping[str, Any]) -> Any:
    """The value that a path leads to; None where that is missing, or blank."""
    value: Any = facts
    for step in path:
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and step < len(value) else None
        else:
            value = value.get(step) if isinstance(value, Mapping) else None
    return None if isinstance(value, str) and is_blank(value) else value


def _step(quoted: str, place: str, name: str) -> Step:
    return int(place) if place else _ESCAPED.sub(r"\1", quoted) or name


def _quoted(name: str) -> str:
    return name if _BARE.fullmatch(name) else '"{}"'.format(re.sub(r'(["\\])', r"\\\1", name))
