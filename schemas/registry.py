"""What a schema registry is to the codec: two questions. The answers come from elsewhere (`agents/registry.py`)."""

from __future__ import annotations

from typing import Any, Protocol


class SchemaRegistry(Protocol):
    """Schemas by number, as in Confluent framing."""

    def schema(self, number: int) -> dict[str, Any]:
        """The Avro schema registered under a number. Raises Undecodable for an unknown one, TryLater when away."""

    def number(self, subject: str, schema: dict[str, Any]) -> int:
        """The number of a schema under a subject, registering it when it is new. Raises TryLater, CannotStart."""
