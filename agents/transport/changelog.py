"""Changelog records applied in bulk: the stock path spends four tasks and a queue hop on each."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import structlog
from faust.tables import TableManager
from faust.tables.recovery import Recovery

from agents.waiting import retry_until_available
from schemas.errors import TryLater

if TYPE_CHECKING:
    from faust.types import TP

log = structlog.get_logger()

_PULSE = 0.02


class TableRecovery(Recovery):
    """Faust's, but rows that are ahead of their changelog are read anew; there they end recovery, again and again."""

    def _add(self, table: Any, tp: TP, offsets: Any) -> None:
        """Faust would swallow the error in a rebalance that never ends."""
        try:
            super()._add(table, tp, offsets)
        except Exception as error:
            self.app.stop_at_once(error)
            raise

    async def _build_highwaters(self, consumer: Any, tps: set[TP], destination: Any, title: str) -> None:
        await super()._build_highwaters(consumer, tps, destination, title)
        try:
            self._forget_what_is_ahead(tps, destination, title)
        except Exception as error:
            self.app.stop_at_once(error)
            raise

    def _forget_what_is_ahead(self, tps: set[TP], destination: Any, title: str) -> None:
        offsets = self.active_offsets if title == "active" else self.standby_offsets
        for tp in tps:
            offset = offsets.get(tp)
            if offset is not None and offset > destination[tp]:
                log.warning(
                    "table_ahead_of_changelog",
                    topic=tp.topic, partition=tp.partition, offset=offset, last=destination[tp],
                )  # fmt: skip
                self.tp_to_table[tp].data.forget(tp)
                offsets[tp] = -1


class Tables(TableManager):
    """Faust's, with this recovery."""

    _recovery: TableRecovery | None

    @property
    def recovery(self) -> TableRecovery:
        """Made when it is first asked for."""
        if self._recovery is None:
            self._recovery = TableRecovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return self._recovery


class Changelogs:
    """Restores tables from their changelog topics, and tells Faust's recovery when it is done."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._pulsing: asyncio.Task[None] | None = None

    async def apply(self, tp: TP, records: list[Any], position: int) -> None:
        """Apply those records of a changelog partition that the table has not seen, and note how far it was read.

        That may be further than the last record: recovery has ended at the end of the log, whatever stands there. A
        full disk is waited for; the partition may be somebody else's by then, and nothing is done.
        """
        try:
            self._apply(tp, records, position)
        except TryLater:
            await retry_until_available(lambda: self._apply_later(tp, records, position), what="disk")

    async def _apply_later(self, tp: TP, records: list[Any], position: int) -> None:
        self._apply(tp, records, position)

    def _apply(self, tp: TP, records: list[Any], position: int) -> None:
        recovery = self._app.tables.recovery
        table = recovery.tp_to_table.get(tp)
        offsets = self._offsets(recovery, tp)
        if table is None or offsets is None:
            return
        seen = offsets.get(tp)
        fresh = records
        if records and seen is not None and records[0].offset <= seen:
            fresh = [record for record in records if record.offset > seen]
        if fresh:
            table.data.apply(tp, fresh)
            offsets[tp] = fresh[-1].offset
        if position - 1 > (offsets.get(tp) or -1):
            offsets[tp] = position - 1
        if recovery.in_recovery and not recovery.need_recovery() and self._pulsing is None:
            self._pulsing = asyncio.ensure_future(self._pulse_recovery_end(recovery))

    def begin_anew(self, tp: TP) -> None:
        """The changelog was made anew: what was read of the one before are no rows any more."""
        recovery = self._app.tables.recovery
        table, offsets = recovery.tp_to_table.get(tp), self._offsets(recovery, tp)
        if table is not None and offsets is not None:
            table.data.forget(tp)
            offsets[tp] = -1

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
