"""The audit log told to its topic, for those who keep it elsewhere as well. Many processes may do it, one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import asyncpg
import structlog

from agents.broker.producer import Producer, write_all
from agents.broker.records import Output
from agents.broker.wire import Wire
from schemas.audit_record import AuditRecord
from schemas.errors import TryLater
from schemas.topics import AUDIT
from store.audit import Chained
from store.audit_mirror import AuditPositions

log = structlog.get_logger()

_EVERY_SECONDS = 2.0


class AuditMirror:
    """A loop beside a role's work, which it neither holds nor ends: what Kafka does not take now is told later."""

    def __init__(self, pool: asyncpg.Pool, wire: Wire, producer: Producer) -> None:
        self._positions, self._producer = AuditPositions(pool), producer
        self._topic, self._codec = wire.topic(AUDIT), wire.codec(AUDIT)

    async def run(self) -> None:
        """Tell what there is to tell, until cancelled."""
        while True:
            try:
                await self.tell()
            except TryLater as error:
                log.warning("audit_not_told", why=str(error))
            await asyncio.sleep(_EVERY_SECONDS)

    async def tell(self) -> int:
        """Tell all that the topic has not got; how many rows. Raises TryLater."""
        return await self._positions.tell(self._write)

    async def _write(self, rows: Sequence[Chained]) -> None:
        await write_all(self._producer, [self._output(one) for one in rows])

    def _output(self, one: Chained) -> Output:
        record = AuditRecord.of(one.row, one.hash)
        return Output(self._topic, record.project_id.encode(), self._codec.encode(record))
