"""Destinations as statements take and give them: the one way, whatever a table keeps of them."""

from __future__ import annotations

from collections.abc import Iterable

import asyncpg

from schemas.destination import Destination


def columns_of(destinations: Iterable[Destination]) -> list[list[str]]:
    """Destinations as Postgres takes them: an array for each part."""
    rows = list(destinations)
    return [[row[place] for row in rows] for place in range(len(Destination._fields))]


def destination_of(row: asyncpg.Record) -> Destination:
    """The destination that a row names."""
    return Destination(row["project_id"], row["channel"], row["destination"])
