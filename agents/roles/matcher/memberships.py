"""The matcher's rows of who is in which segments: what changes them, and what is asked of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agents.broker.records import Incoming
from agents.tables.table import PartitionedTable
from agents.wiring import Wiring
from schemas.membership import COMPLETE_KEY, Memberships
from schemas.topics import MEMBERSHIPS
from schemas.wire.read_as import read_as
from streams.conditions.answer import Misfit
from streams.event_context import Head
from streams.events import read_tombstone
from streams.memberships import erased, members, unknown, with_event, with_told

Row = tuple[PartitionedTable, bytes, bytes | None]
"""A change of a table: the key, and the row; None takes it out."""

_INCOMPLETE = unknown(
    "segmenters have not told all memberships of this partition yet. Is one running (tidings worker segmenter)?"
)


class MembershipRows:
    """The table of memberships. Each change is worked out here, and made by whoever asked for it."""

    def __init__(self, table: PartitionedTable, wiring: Wiring) -> None:
        self._table, self._get = table, table.data.get
        self._codec, self._default = wiring.codec(MEMBERSHIPS), wiring.default_project

    def told(self, partition: int, record: Incoming) -> Sequence[Row]:
        """The change that a record of `memberships` makes. Raises an error of the record; TryLater."""
        key = record.key or b""
        if key != COMPLETE_KEY:
            read_tombstone(key, self._default)
        told = None if record.value is None else read_as(self._codec.decode(record.value), Memberships)
        before = self._get(partition, key)
        return self._changed(key, before, with_told(before, told))

    def after(self, partition: int, key: bytes | None, head: Head[Any]) -> Sequence[Row]:
        """The change that one of `SEGMENT_EVENTS` makes, where upstream tells by it of a segment of its own."""
        before = self._get(partition, key or b"")
        after = with_event(before, head.id, head.type, head.data.segment.id, head.created_at)
        return self._changed(key or b"", before, after)

    def without_upstreams(self, partition: int, key: bytes, erased_at: int) -> Sequence[Row]:
        """The change where a customer is erased; what segmenters told of it they take back themselves."""
        before = self._get(partition, key)
        return () if before is None else self._changed(key, before, erased(before, erased_at))

    def segments(self, partition: int, key: bytes, changed: Sequence[Row]) -> list[str] | Misfit:
        """The segments of a customer, with a change that is not made yet; unknown before all that was is told here."""
        if self._get(partition, COMPLETE_KEY) is None:
            return _INCOMPLETE
        return members(changed[0][2] if changed else self._get(partition, key))

    def _changed(self, key: bytes, before: bytes | None, after: bytes | None) -> Sequence[Row]:
        return () if after == before else ((self._table, key, after),)
