"""The database's clock: it alone says what is due, leased or expired, since the clocks of workers differ."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import asyncpg

from store.postgres import passing_errors
from store.sql import queries

CLOCKS_MAY_DIFFER = timedelta(seconds=1)

DatabaseClock = Callable[[asyncpg.Connection | asyncpg.Pool], Awaitable[datetime]]


async def database_now(asked: asyncpg.Connection | asyncpg.Pool) -> datetime:
    """The moment at which the database answers; not that of its transaction."""
    now: datetime = await asked.fetchval(queries("clock")["now"])
    return now


async def time_there(pool: asyncpg.Pool) -> datetime:
    """The moment at which the database answers. Raises TryLater."""
    async with passing_errors(pool):
        return await database_now(pool)


async def ahead_of_database(pool: asyncpg.Pool, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> timedelta:
    """The time by which the clock of this machine is ahead at least, negative where it is behind. Raises TryLater."""
    async with passing_errors(pool):
        await database_now(pool)  # so that connecting does not count
        before, there, after = clock(), await database_now(pool), clock()
    if before > there:
        return before - there
    return min(timedelta(), after - there)


def said_of_clocks(ahead: timedelta) -> str:
    """The warning about clocks that differ by more than they may."""
    seconds, side = abs(ahead).total_seconds(), "ahead of" if ahead > timedelta() else "behind"
    return (
        f"the clock of this machine is {seconds:.1f} s {side} the database's: leases and retries go by the database's,"
        " but windows of time and which events count as future by this one. Set it (chrony, NTP)"
    )
