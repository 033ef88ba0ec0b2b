"""Changelog records applied in bulk: the stock path spends four tasks and a queue hop on each."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from faust.types import TP

_PULSE = 0.02


class Changelogs:
    """Restores tables from their changelog topics, and tells Faust's recovery when it is done."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._pulsing: asyncio.Task[None] | None = None

    def apply(self, tp: TP, records: list[Any]) -> None:
        """Apply those records of a changelog partition that the table has not seen."""
        recovery = self._app.tables.recovery
        table = recovery.tp_to_table.get(tp)
        offsets = self._offsets(recovery, tp)
        if table is None or offsets is None:
            return
        seen = offsets.get(tp)
        fresh = records
        if seen is not None and records[0].offset <= seen:
            fresh = [record for record in records if record.offset > seen]
        if fresh:
            table.data.apply(tp, fresh)
            offsets[tp] = fresh[-1].offset
        if recovery.in_recovery and not recovery.need_recovery() and self._pulsing is None:
            self._pulsing = asyncio.ensure_future(self._pulse_recovery_end(recovery))

    def _offsets(self, recovery: Any, tp: TP) -> Any:
        if tp in recovery.active_tps:
            return recovery.active_offsets
        return recovery.standby_offsets if tp in recovery.standby_tps else None

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
