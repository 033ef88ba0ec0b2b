"""Destinations as statements take and give them: the one way, whatever a table keeps of them."""

from __future__ import annotations

from collections.abc import Iterable

import asyncpg

from schemas.audit import AuditEntry, shown
from schemas.destination import Destination
from store import audit
from store.postgres import changing
from store.sql import queries


def columns_of(destinations: Iterable[Destination]) -> list[list[str]]:
    """Destinations as Postgres takes them: an array for each part."""
    rows = list(destinations)
    return [[row[place] for row in rows] for place in range(len(Destination._fields))]


def destination_of(row: asyncpg.Record) -> Destination:
    """The destination that a row names."""
    return Destination(row["project_id"], row["channel"], row["destination"])


async def resume(pool: asyncpg.Pool, destination: Destination, by: str) -> bool:
    """Send to it again, the oldest first; whether it was paused."""
    async with changing(pool) as connection:
        rows = await connection.fetch(queries("ledger")["resume_destination"], *destination)
        if rows:
            thing = f"{destination.channel}/{destination.name}"
            await audit.write(connection, AuditEntry(destination.project_id, by, "destination.resumed", shown(thing)))
    return bool(rows)
