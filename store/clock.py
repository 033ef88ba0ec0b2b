"""The database's clock: it alone says what is due, leased or expired, since the clocks of workers differ."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

import asyncpg

from store.sql import queries

DatabaseClock = Callable[[asyncpg.Connection | asyncpg.Pool], Awaitable[datetime]]


async def database_now(asked: asyncpg.Connection | asyncpg.Pool) -> datetime:
    """The moment at which the database answers; not that of its transaction."""
    now: datetime = await asked.fetchval(queries("clock")["now"])
    return now
