"""The language of a webhook's designed body: which mappings in it stand for something else, and how a path is written.

{from: customer.id}                      the value at a path of the event's objects, of whatever kind it is
{from: customer.locale, default: en}     the same, and what stands there where the event has none
{value: {from: "The Shop"}}              the mapping inside as an object: one of these forms that is meant as it stands

All else is static. Every mapping with `from` is of the first form, and every one with `value` alone of the third; the
members of the mapping inside are read as everywhere. Paths are written as `paths.py` says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

FROM = "from"
DEFAULT = "default"
VALUE = "value"


def is_dynamic(node: Mapping[str, Any]) -> bool:
    """True for a mapping that stands for a value of the event."""
    return FROM in node


def is_escape(node: Mapping[str, Any]) -> bool:
    """True for a mapping that stands for the object inside it."""
    return len(node) == 1 and VALUE in node


def escaped(members: dict[str, Any]) -> dict[str, Any]:
    """An object, wrapped where it would be taken for one of the forms."""
    return {VALUE: members} if is_dynamic(members) or is_escape(members) else members
