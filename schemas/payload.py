"""The language of a webhook's designed body: which mappings in it stand for something else, and how a path is written.

{from: customer.id}                      the value at a path of the event's objects, of whatever kind it is
{from: customer.locale, default: en}     the same, and what stands there where the event has none
{value: {from: "The Shop"}}              the mapping inside as an object: one of these forms that is meant as it stands

All else is static. Every mapping with `from` is of the first form, and every one with `value` alone of the third; the
members of the mapping inside are read as everywhere. Steps of a path are names, names in quotes where they hold a dot
or a bracket, and the places of list items from 0: order.items[0].sku_id, customer.metadata."first.order".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

FROM = "from"
DEFAULT = "default"
VALUE = "value"

PATH_PATTERN = r'([^."\[\]]+|"[^"]+")(\[[0-9]{1,4}\]|\.([^."\[\]]+|"[^"]+"))*'
"""What a path is, whole, as a regular expression that other languages read too."""

Step = str | int
Steps = tuple[Step, ...]

_PATH = re.compile(PATH_PATTERN)
_STEP = re.compile(r'"([^"]+)"|\[([0-9]+)\]|([^."\[\]]+)')
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def read_path(source: object) -> Steps:
    """The steps of a path. Raises ValueError that says how one is written."""
    if not isinstance(source, str) or not _PATH.fullmatch(source):
        raise ValueError("is a path, as in customer.id or order.items[0].sku_id")
    return tuple(int(place) if place else quoted or name for quoted, place, name in _STEP.findall(source))


def path_text(steps: Iterable[Step]) -> str:
    """Steps as a path is written."""
    parts = (f"[{step}]" if isinstance(step, int) else f".{_quoted(step)}" for step in steps)
    return "".join(parts).removeprefix(".")


def is_dynamic(node: Mapping[str, Any]) -> bool:
    """Whether a mapping stands for a value of the event."""
    return FROM in node


def is_escape(node: Mapping[str, Any]) -> bool:
    """Whether a mapping stands for the object inside it."""
    return len(node) == 1 and VALUE in node


def escaped(members: dict[str, Any]) -> dict[str, Any]:
    """An object, wrapped where it would be taken for one of the forms."""
    return {VALUE: members} if is_dynamic(members) or is_escape(members) else members


def _quoted(name: str) -> str:
    return name if _BARE.fullmatch(name) else f'"{name}"'
