"""Transactions that keep the database from clearing away rows that are over.

Deliveries pass through their table within seconds. While a transaction is open that began before (a dump, a report, a
session that somebody forgot), what is over cannot be taken away, and each claim reads past it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import asyncpg

from store.postgres import passing_errors
from store.sql import queries

OPEN_FOR_LONG = timedelta(minutes=10)


async def held_for_long(pool: asyncpg.Pool, than: timedelta = OPEN_FOR_LONG) -> list[asyncpg.Record]:
    """kind, name, held_for: what has been open for longer, the longest first; at most five. Raises TryLater."""
    async with passing_errors(pool):
        rows: list[asyncpg.Record] = await pool.fetch(queries("horizon")["held_since"], than)
        return rows


def said_of_held(rows: Sequence[asyncpg.Record]) -> str:
    """The warning about what has been open for too long."""
    each = ", ".join(f"{row['kind']} {row['name']} for {row['held_for'].total_seconds() / 60:.0f} min" for row in rows)
    return (
        f"open are {each}: until they end, rows that are over cannot be cleared away, and claims become slower with"
        " each delivery. End them (pg_terminate_backend), and set idle_in_transaction_session_timeout"
    )
