"""The suppression list of each project: what nothing is sent to, why, and until when."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from datetime import timedelta

import asyncpg

from schemas.closed import ChannelName
from schemas.suppression import STRONGEST_FIRST, Address, NewSuppression, Suppression, key_hash
from store.postgres import passing_errors, storable
from store.sql import queries

_ON_ALL = ""
_BATCH_SIZE = 5000


class Suppressions:
    """Every call is one statement. Raises TryLater while Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql = queries("suppressions")

    async def add(self, entries: Sequence[NewSuppression]) -> int:
        """Add entries; how many are new or last longer now. What is there is never shortened or weakened."""
        rows = [
            (
                one.project_id, key_hash(one.key), one.channel or _ON_ALL, one.key, one.reason, storable(one.source),
                one.expires_at, one.lasts, one.added_at, storable(one.added_by),
            )
            for one in sorted(entries, key=lambda one: one.key)
        ]  # fmt: skip
        if not rows:
            return 0
        async with passing_errors(self._pool):
            columns = [list(column) for column in zip(*rows, strict=True)]
            return int(await self._pool.fetchval(self._sql["add_suppressions"], *columns, list(STRONGEST_FIRST)))

    async def count_bounces(self, addresses: Collection[Address]) -> dict[Address, tuple[int, timedelta]]:
        """Count a soft bounce of each: those in a row, and the time from the first to the last."""
        if not addresses:
            return {}
        by_columns = {_columns(one): one for one in addresses}
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(self._sql["count_bounces"], *map(list, zip(*by_columns, strict=True)))
        return {
            by_columns[row["project_id"], row["key_hash"].hex, row["channel"]]: (row["bounces"], row["span"])
            for row in rows
        }

    async def forget_bounces(self, addresses: Collection[Address]) -> None:
        """Begin to count anew: something was taken."""
        if addresses:
            async with passing_errors(self._pool):
                columns = map(list, zip(*map(_columns, addresses), strict=True))
                await self._pool.execute(self._sql["forget_bounces"], *columns)

    async def remove(self, project_id: str, key: str, channel: ChannelName | None = None) -> int:
        """Take the entry of a channel off the list, or without one each that the key has; how many."""
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(self._sql["remove_suppressions"], project_id, key_hash(key), channel)
        return len(rows)

    async def find(self, project_id: str, keys: Iterable[str]) -> list[Suppression]:
        """The entries of some keys that are not over."""
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(self._sql["find_suppressions"], project_id, [key_hash(key) for key in keys])
        return [_read(row) for row in rows]

    async def all(self, project_id: str) -> AsyncIterator[Suppression]:
        """Every entry that is not over, in the order of the keys, read in parts."""
        behind = ("", "")
        while True:
            async with passing_errors(self._pool):
                rows = await self._pool.fetch(self._sql["list_suppressions"], project_id, *behind, _BATCH_SIZE)
            for row in rows:
                yield _read(row)
            if len(rows) < _BATCH_SIZE:
                return
            behind = rows[-1]["key"], rows[-1]["channel"]


def _columns(address: Address) -> tuple[str, str, str]:
    return address.project_id, key_hash(address.key), address.channel


def _read(row: asyncpg.Record) -> Suppression:
    return Suppression(**{**row, "channel": row["channel"] or None})
