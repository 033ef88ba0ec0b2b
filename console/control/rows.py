"""Rows of the database as frozen records, by the names of their fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

T = TypeVar("T")


def of_row(kind: type[T], row: Mapping[str, Any], **others: Any) -> T:
    """A record whose fields stand in a row, or among `others`."""
    names = (field.name for field in fields(kind))  # type: ignore[arg-type] # a dataclass
    return kind(**{name: others[name] if name in others else row[name] for name in names})
