"""One partition of a table as one worker holds it: rows by key, and how far its changelog is in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol


class TablePartition(Protocol):
    """Keys and values are raw bytes. `offset` is that of the last changelog record that is known to be in the rows."""

    offset: int | None

    def get(self, key: bytes) -> bytes | None:
        """The row, or None."""

    def put(self, key: bytes, value: bytes | None) -> None:
        """Write a row; None takes it out."""

    def apply(self, records: Iterable[Any], offset: int) -> None:
        """Write the rows of changelog records, in their order, and the offset of the last with them."""

    def persist(self, offset: int) -> None:
        """Note that all changelog records up to `offset` are in the rows."""

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """All rows."""

    def clear(self) -> None:
        """Throw all rows away, and the offset with them."""

    def close(self) -> None:
        """Let go; what is kept on disk stays there."""


class MemoryPartition:
    """Rows in a dict: for tests and small tables."""

    def __init__(self) -> None:
        self.offset: int | None = None
        self._rows: dict[bytes, bytes] = {}
        self.get = self._rows.get

    def put(self, key: bytes, value: bytes | None) -> None:
        """Write a row; None takes it out."""
        if value is None:
            self._rows.pop(key, None)
        else:
            self._rows[key] = value

    def apply(self, records: Iterable[Any], offset: int) -> None:
        """Write the rows of changelog records."""
        for record in records:
            self.put(record.key, record.value)
        self.offset = offset

    def persist(self, offset: int) -> None:
        """Note how far the changelog is in the rows."""
        self.offset = offset

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """All rows."""
        return iter(list(self._rows.items()))

    def clear(self) -> None:
        """Forget rows and offset."""
        self._rows.clear()
        self.offset = None

    def close(self) -> None:
        """Forget the rows."""
        self._rows.clear()
