"""A schema registry as the codec sees it: two questions, answered elsewhere (`agents/broker/registry.py`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

AVRO, JSON_SCHEMA = "AVRO", "JSON"
"""The kinds of schema whose records are read here, as registries name them."""


@dataclass(frozen=True, slots=True)
class RegisteredSchema:
    """A schema of a registry. `schema` is the parsed JSON of an Avro schema, else None.

    `references`: the schemas whose types it uses, each before those that use it.
    """

    kind: str
    schema: Any = None
    references: tuple[Any, ...] = ()


class SchemaRegistry(Protocol):
    """Schemas by number, as in Confluent framing."""

    def schema(self, number: int) -> RegisteredSchema:
        """The schema registered under a number. Raises Undecodable for an unknown one, TryLater when away."""

    def number(self, subject: str, schema: dict[str, Any]) -> int:
        """The number of a schema under a subject, registering it when it is new. Raises TryLater, CannotStart."""
