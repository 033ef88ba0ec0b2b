"""Claims of what is due, in the queues that are known; others are looked for in between."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import asyncpg

from schemas.destination import Destination
from store.postgres import passing_errors
from store.sending.destinations import columns_of, destination_of
from store.sending.queues import Queue, Queues
from store.sql import queries

_LOOKED_AT, _ASKED, _MOST_PARTS = 200, 50, 16
"""Queues in one look, queues that are asked at once, and how often a claim goes on where nothing can be claimed."""
_PLANNED_ANEW = 5
"""Uses of a prepared statement for which Postgres makes a plan each time (its documentation, PREPARE, Notes)."""
_BEFORE_ALL = Queue("", "", "", "", "")


def queue_of(row: asyncpg.Record) -> Queue:
    """The queue that a row names."""
    return Queue(*(row[name] for name in Queue._fields))


class Claims:
    """One process's claims: what it has seen of the queues, and the one that it looked at last."""

    def __init__(self, pool: asyncpg.Pool, queues: Queues) -> None:
        self._pool, self._queues = pool, queues
        self._sql = queries("ledger")
        self._looked_last: Queue | None = None
        self._fetched = 0

    @property
    def has_looked_at_all(self) -> bool:
        """True where the next look begins with the first queue."""
        return self._looked_last is None

    async def due(
        self,
        given: Sequence[object],
        limit: int,
        *,
        full: Collection[Destination],
        passing: Collection[Destination],
        for_bulk: Sequence[int],
        look: bool,
    ) -> list[asyncpg.Record]:
        """Claim with what is `given`, the first parameters of the statement; nothing known of `full` destinations.

        `for_bulk` is how many of the bulk lane each destination with a limit takes, in the order of the limits.
        """
        takes_over, claimed = look, list[asyncpg.Record]()
        for _ in range(_MOST_PARTS):
            if look:
                await self._look(passing)
                look = not self.has_looked_at_all
            queues = self._queues.due(full, _ASKED)
            if queues or takes_over:
                claimed = await self._ask(queues, given, passing, for_bulk, limit)
            if claimed or (not look and len(queues) < _ASKED):
                break
        return claimed

    async def _look(self, passing: Collection[Destination]) -> None:
        rows = await self._fetch("look", *(self._looked_last or _BEFORE_ALL), _LOOKED_AT, *columns_of(passing))
        for row in rows:
            if row["due_in"] is not None:
                self._queues.found(queue_of(row), row["due_at"], row["due_in"])
        self._looked_last = queue_of(rows[-1]) if len(rows) == _LOOKED_AT else None

    async def _ask(
        self,
        asked: Sequence[tuple[Queue, datetime]],
        given: Sequence[object],
        passing: Collection[Destination],
        for_bulk: Sequence[int],
        limit: int,
    ) -> list[asyncpg.Record]:
        columns = [[queue[place] for queue, _ in asked] for place in range(len(Queue._fields))]
        passes = [queue.of in passing for queue, _ in asked]
        rows = await self._fetch("claim_due", *given, *columns, [since for _, since in asked], passes, for_bulk)
        claimed = [row for row in rows if row["delivery_id"] is not None]
        oldest = {row["number"] - 1: row for row in rows if row["delivery_id"] is None}
        served = {destination_of(row) for row in claimed}
        for number, (queue, _) in enumerate(asked):
            in_vain = len(claimed) < limit and queue.of not in served
            row = oldest.get(number)
            self._queues.heard(queue, row and row["due_at"], row and row["due_in"], in_vain=in_vain)
        return claimed

    async def _fetch(self, name: str, *arguments: object) -> list[asyncpg.Record]:
        """Planned each time, by the size that the queue has now: no text is used more often than Postgres does that.

        A plan that was kept from when the queue was empty reads all of it, once for each row, until Postgres has
        analyzed it again: seconds with a hundred thousand that wait.
        """
        self._fetched += 1
        sql = f"{self._sql[name]}\n-- {self._fetched // _PLANNED_ANEW}"
        async with passing_errors(self._pool):
            rows: list[asyncpg.Record] = await self._pool.fetch(sql, *arguments)
            return rows
