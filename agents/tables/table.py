"""A Faust table whose rows are kept by partition, as raw bytes, in stores of our own.

Faust's own stores look for a key in every partition and copy values through serializers; ours is always asked about the
partition of the batch at hand. Faust still assigns the partitions, finds where recovery starts, and runs it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import faust
from faust.stores.base import Store

from agents.tables.partition import MemoryPartition, TablePartition
from schemas.errors import MustRestart, TryLater

if TYPE_CHECKING:
    from faust.types import TP

OpenPartition = Callable[[str, int], TablePartition]
"""Opens a partition of a table by the table's name and the partition's number."""


def in_memory(_table: str, _partition: int) -> TablePartition:
    """Rows in memory alone."""
    return MemoryPartition()


class LocalStore(Store):
    """The partitions of one table that this worker has, active or standby. Opened when Faust asks how far they are."""

    def __init__(self, open_partition: OpenPartition, url: str, app: Any, table: Any, **options: Any) -> None:
        super().__init__(url, app, table, **options)
        self._open_partition = open_partition
        self._partitions: dict[int, TablePartition] = {}

    def get(self, partition: int, key: bytes) -> bytes | None:
        """A row; None where it does not exist, or where the partition went to another worker."""
        found = self._partitions.get(partition)
        return None if found is None else found.get(key)

    def put(self, partition: int, key: bytes, value: bytes | None) -> None:
        """Write a row. A partition that went to another worker is left alone: its batch is done again there."""
        found = self._partitions.get(partition)
        if found is not None:
            found.put(key, value)

    def apply(self, tp: TP, records: list[Any]) -> None:
        """Write changelog records, in recovery and for standbys."""
        self._opened(tp.partition).apply(records, records[-1].offset)

    def forget(self, tp: TP) -> None:
        """Throw the rows of a partition away: they do not belong to this changelog."""
        with contextlib.suppress(TryLater):  # for want of room; they are thrown away before anything else is done
            self._opened(tp.partition).clear()

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """All rows of all partitions."""
        for partition in list(self._partitions.values()):
            yield from partition.items()

    def persisted_offset(self, tp: TP) -> int | None:
        """The offset after which Faust's recovery reads on."""
        return self._opened(tp.partition).offset

    def set_persisted_offset(self, tp: TP, offset: int) -> None:
        """Note that the changelog up to `offset` is in the rows."""
        found = self._partitions.get(tp.partition)
        if found is not None and (found.offset is None or offset > found.offset):
            try:
                found.persist(offset)
            except MustRestart as error:  # whoever reports what is acknowledged cannot do anything about it
                self.app.stop_at_once(error)

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Close what is no longer ours, neither active nor standby."""
        topic, assignor = self.table.changelog_topic_name, self.app.assignor
        mine = {
            tp.partition for tp in (*assignor.assigned_actives(), *assignor.assigned_standbys()) if tp.topic == topic
        }
        for gone in self._partitions.keys() - mine:
            self._partitions.pop(gone).close()

    async def on_stop(self) -> None:
        """Close everything."""
        while self._partitions:
            self._partitions.popitem()[1].close()

    def reset_state(self) -> None:
        """Nothing: rows that cannot be used are thrown away where they are opened."""

    def apply_changelog_batch(self, batch: Any, to_key: Any, to_value: Any) -> None:
        """Faust's own recovery, which `agents/transport/changelog.py` replaces."""
        for event in batch:
            self.apply(event.message.tp, [event.message])

    async def backup_partition(self, tp: Any, flush: bool = True, purge: bool = False, keep: int = 1) -> None:
        """Nothing: Kafka has the truth."""

    def restore_backup(self, tp: Any, latest: bool = True, backup_id: int = 0) -> None:
        """Nothing: Kafka has the truth."""

    def _opened(self, partition: int) -> TablePartition:
        if partition not in self._partitions:
            self._partitions[partition] = self._open_partition(self.table.name, partition)
        return self._partitions[partition]


class PartitionedTable(faust.Table):
    """Rows by key in the partition of the batch that reads and writes them, with a changelog topic."""

    open_partition: OpenPartition = staticmethod(in_memory)

    def _new_store(self) -> LocalStore:
        return LocalStore(
            self.open_partition, "memory://", self.app, self, table_name=self.name, loop=self.loop, options=self.options
        )


def add_table(app: Any, name: str, *, partitions: int, open_partition: OpenPartition) -> PartitionedTable:
    """A table of `app`, co-partitioned with its topics."""
    table = PartitionedTable(app, name=name, partitions=partitions, key_type=bytes, value_type=bytes)
    table.open_partition = open_partition
    app.tables.add(table)
    return table
