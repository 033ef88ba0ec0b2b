"""Mappings whose keys are names that their author gives, each with a value of one kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from schemas.record import JsonObject
from streams.values.kinds import Identifier, Value
from streams.values.wording import Report, invalid, under

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Named(Generic[T]):
    """At least `least` values of one kind by name. `name` is an example of one, `example` of the whole."""

    item: Value[T]
    name: str
    example: str
    least: int
    most: int

    @property
    def allowed(self) -> str:
        """See `Value`."""
        return f"a mapping of {self.least} to {self.most} names, as in {self.example}"

    def read(self, value: object, at: str, report: Report) -> dict[str, T] | None:
        """See `Value`."""
        if not isinstance(value, Mapping):
            report(at, invalid(value, self.allowed))
            return None
        if not self.least <= len(value) <= self.most:
            report(at, f"has {len(value)} names: must be {self.allowed}")
        found: dict[str, T] = {}
        for name, body in value.items():
            known, read = self._names.read(name, at, report), self.item.read(body, under(at, str(name)), report)
            if known is not None and read is not None:
                found[known] = read
        return found

    @property
    def _names(self) -> Identifier:
        return Identifier(self.name, most=64)

    def schema(self) -> JsonObject:
        """See `Value`."""
        return {
            "type": "object",
            "minProperties": self.least,
            "maxProperties": self.most,
            "propertyNames": self._names.schema(),
            "additionalProperties": self.item.schema(),
        }
