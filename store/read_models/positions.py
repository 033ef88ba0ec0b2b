"""Positions of recorders: how far each partition of a topic is in."""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg

from store.postgres import passing_errors
from store.sql import queries


@dataclass(frozen=True, slots=True)
class Position:
    """A partition that is in up to `next_offset`; the latest of its records is of the time `stamp` (Unix ms).

    `late` are those of them that came after their day was dropped.
    """

    topic: str
    partition: int
    next_offset: int
    stamp: int
    late: int


async def positions(pool: asyncpg.Pool) -> list[Position]:
    """Every partition that a recorder has begun, by its topic's name on the broker. Raises TryLater."""
    async with passing_errors(pool):
        return [Position(**row) for row in await pool.fetch(queries("recorded")["positions"])]
