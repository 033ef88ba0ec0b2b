"""The audit log on its way to a topic: how far each project's chain is there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import asyncpg

from store.audit import Chained, read_chained
from store.postgres import passing_errors
from store.sql import queries

_BATCH_SIZE = 500


class AuditPositions:
    """Raises TryLater while Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql = queries("audit_mirror")

    async def tell(self, write: Callable[[Sequence[Chained]], Awaitable[None]], batch_size: int = _BATCH_SIZE) -> int:
        """Pass the rows that the topic has not got to `write`, a project's in the order of its chain; their number.

        The position follows once `write` has returned. Where that raises, or the process dies, the rows are written
        again: with them all that come after, so that in the order of what is new none is missing.
        """
        told = 0
        while count := await self._tell_some(write, batch_size):
            told += count
        return told

    async def _tell_some(self, write: Callable[[Sequence[Chained]], Awaitable[None]], batch_size: int) -> int:
        async with passing_errors(self._pool), self._pool.acquire() as connection, connection.transaction():
            if not await connection.fetchval(self._sql["try_lock"]):
                return 0
            behind = await connection.fetchrow(self._sql["behind"])
            if behind is None:
                return 0
            project_id, position = behind["project_id"], behind["position"]
            rows = await read_chained(connection, project_id, position, batch_size)
            await write(rows)
            await connection.fetchval(self._sql["move"], project_id, position, rows[-1].row.position)
        return len(rows)
