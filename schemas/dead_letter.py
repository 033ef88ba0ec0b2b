"""What is said about a record that could not be processed.

The dead-letter keeps the record's own key and bytes as they came; the facts below stand in its headers, so that a
replay is a plain copy of key and value back to `topic`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec

from schemas.record import Record, doc

HEADER_PREFIX = "tidings-"


class DeadLetter(Record, frozen=True, kw_only=True):
    """Where a record came from and why it was refused."""

    topic: Annotated[str, doc("The topic it was read from, without the prefix.")]
    partition: int
    offset: int
    role: Annotated[str, doc("The role that refused it.")]
    kind: Annotated[str, doc("undecodable, too_large, too_deep, invalid_event or internal")]
    message: Annotated[str, doc("What was wrong and what would be right.")]
    path: Annotated[str, doc("The field, where one is to blame.")] = ""
    failed_at: Annotated[str, doc("RFC 3339.")]

    def headers(self) -> list[tuple[str, bytes]]:
        """The facts as Kafka headers."""
        return [(HEADER_PREFIX + name, str(getattr(self, name)).encode()) for name in self.__struct_fields__]

    @classmethod
    def from_headers(cls, headers: Iterable[tuple[str, bytes | None]]) -> DeadLetter:
        """Read the facts back. Raises msgspec.ValidationError where one is missing or wrong."""
        facts = {
            name.removeprefix(HEADER_PREFIX): (value or b"").decode()
            for name, value in headers
            if name.startswith(HEADER_PREFIX)
        }
        return msgspec.convert(facts, cls, strict=False)
