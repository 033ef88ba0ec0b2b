"""Kinds of value that stand below the names of several channels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from schemas.record import JsonObject
from streams.values.wording import Report


@dataclass(frozen=True, slots=True)
class AsWritten:
    """Taken as it stands: what it refers to, or what stands beside it, decides what is right."""

    form: JsonObject = field(default_factory=lambda: {"type": "string"})

    def read(self, value: object, at: str, report: Report) -> Any:
        """See `Value`."""
        return value

    def schema(self) -> JsonObject:
        """See `Value`."""
        return dict(self.form)
