"""New codes of a pattern, that no campaign of the project has, down to the pattern's last one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

import asyncpg

from schemas.campaign import CodeConfig
from schemas.patterns import Choose, all_codes, make_code, pattern_regex, pick
from store.sql import queries

_BATCH_SIZE = 4096
"""Codes that are looked up at a time in a pattern that is nearly exhausted."""
_NARROW = 1_000_000
"""Patterns of so few codes are made from by one transaction at a time: in wider ones two hardly ever meet."""
_SPARSE = 0.5
"""Of the codes made by chance, how many have to be new for chance to go on."""


@dataclass(slots=True)
class Making:
    """A pool that codes go into, and what was added. The caller holds the campaign's row and keeps the counts.

    `place` is the next free position of the pool; `is_exhausted` says that the pattern gives nothing more.
    """

    key: int
    project_id: str
    config: CodeConfig
    place: int
    total: int
    is_exhausted: bool
    rows: list[asyncpg.Record] = field(default_factory=list)
    tried: int = 0

    def is_done(self, count: int) -> bool:
        """True where there are as many as wanted."""
        return len(self.rows) >= count


class Maker:
    """Makes codes inside the caller's transaction."""

    def __init__(self, connection: asyncpg.Connection, now: datetime, choose: Choose) -> None:
        self._connection = connection
        self._sql = queries("codes")
        self._now = now
        self._choose = choose

    async def make(self, making: Making, count: int) -> None:
        """Add as many codes as are wanted, or all that the pattern can still give."""
        if making.is_exhausted:
            return
        if making.config.capacity <= _NARROW:
            pattern = pattern_regex(making.config)
            await self._connection.execute(self._sql["lock_pattern"], making.project_id, pattern)
        if making.total < making.config.capacity:
            await self._by_chance(making, count)
        if not making.is_done(count):
            await self._one_by_one(making, count)

    async def _by_chance(self, making: Making, count: int) -> None:
        while not making.is_done(count):
            wanted = count - len(making.rows)
            candidates = dict.fromkeys(make_code(making.config, self._choose) for _ in range(wanted))
            if await self._add(making, list(candidates)) < wanted * _SPARSE:
                return

    async def _one_by_one(self, making: Making, count: int) -> None:
        """Come past every code of the pattern once, and take what nobody has."""
        codes = all_codes(making.config, self._choose)
        while batch := list(islice(codes, _BATCH_SIZE)):
            # An insert waits for others that make the same code, so what is still free is asked again after it.
            while free := await self._connection.fetch(self._sql["free_names"], making.project_id, batch):
                if making.is_done(count):
                    return
                wanted = count - len(making.rows)
                await self._add(making, pick([row["code"] for row in free], wanted, self._choose))
        making.is_exhausted = True

    async def _add(self, making: Making, codes: list[str]) -> int:
        """Add codes in their order; how many were new."""
        place = making.place + making.tried
        rows = await self._connection.fetch(
            self._sql["add_made"], making.key, place, making.project_id, codes, self._now
        )
        making.tried += len(codes)
        making.rows += sorted(rows, key=lambda row: row["position"])
        return len(rows)
