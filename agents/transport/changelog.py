"""Changelog records applied in bulk: the stock path spends four tasks and a queue hop on each."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from faust.events import Event
from faust.stores.memory import Store as MemoryStore

if TYPE_CHECKING:
    from faust.types import TP

_PULSE = 0.02


class Changelogs:
    """Restores tables from their changelog topics, and tells Faust's recovery when it is done."""

    def __init__(self, app: Any, consumer: Any) -> None:
        self._app = app
        self._consumer = consumer
        self._pulsing: asyncio.Task[None] | None = None

    def apply(self, tp: TP, records: list[Any]) -> None:
        """Apply those records of a changelog partition that the table has not seen."""
        recovery = self._app.tables.recovery
        table = recovery.tp_to_table.get(tp)
        offsets = self._offsets(recovery, tp)
        if table is None or offsets is None:
            return
        seen = offsets.get(tp)
        fresh = [record for record in records if seen is None or record.offset > seen]
        if fresh:
            self._store(table, tp, fresh)
            offsets[tp] = fresh[-1].offset
        if recovery.in_recovery and not recovery.need_recovery() and self._pulsing is None:
            self._pulsing = asyncio.ensure_future(self._pulse_recovery_end(recovery))

    def _offsets(self, recovery: Any, tp: TP) -> Any:
        if tp in recovery.active_tps:
            return recovery.active_offsets
        return recovery.standby_offsets if tp in recovery.standby_tps else None

    def _store(self, table: Any, tp: TP, records: list[Any]) -> None:
        store = table.data
        if isinstance(store, MemoryStore) and table.key_type is bytes and table.value_type is bytes:
            _store_in_memory(store, tp.partition, records)
            return
        to_message = self._consumer._to_message
        table.apply_changelog_batch([Event(self._app, r.key, r.value, None, to_message(tp, r)) for r in records])

    async def _pulse_recovery_end(self, recovery: Any) -> None:
        """Set and clear, until recovery has noticed: left set, it would end the next one with a partial table."""
        generation = self._app.consumer_generation_id
        try:
            while self._still_waiting(recovery, generation):
                recovery.signal_recovery_end.set()
                await asyncio.sleep(_PULSE)
                recovery.signal_recovery_end.clear()
        finally:
            recovery.signal_recovery_end.clear()
            self._pulsing = None

    def _still_waiting(self, recovery: Any, generation: int) -> bool:
        same_group = generation == self._app.consumer_generation_id
        return bool(same_group and recovery.in_recovery and not recovery.need_recovery() and not self._app.should_stop)


def _store_in_memory(store: Any, partition: int, records: list[Any]) -> None:
    """Straight into the dict; `_key_partition` lets Faust drop the keys when the partition leaves."""
    data, key_partition = store.data, store._key_partition
    for record in records:
        if record.value is None:
            data.pop(record.key, None)
            key_partition.pop(record.key, None)
        else:
            data[record.key] = record.value
            key_partition[record.key] = partition
