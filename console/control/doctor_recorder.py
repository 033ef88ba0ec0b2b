"""Read models: their lag behind the topics, those who write them, and what came too late for them."""

from __future__ import annotations

from datetime import datetime, timedelta

import asyncpg

from agents.aside import aside
from agents.broker.extents import Extents
from agents.broker.groups import processes
from agents.wiring import Wiring
from console.control.recorded_lag import Behind, recorded_behind
from schemas.errors import TidingsError
from store.read_models.positions import positions
from store.read_models.rebuild import Unfinished, unfinished_rebuild

_LATE = timedelta(minutes=5)
"""The age of a record that recorders have not read, from which on they are too slow, or away."""


async def examine_recorder(pool: asyncpg.Pool, wiring: Wiring, now: datetime) -> str:
    """A sentence about read models. Raises TidingsError where nobody writes them, or they are far behind; TryLater."""
    known, recorders = await positions(pool), await aside(lambda: len(processes(wiring, "recorder")))
    if not known and not recorders:
        return "none has ever run: `tidings why` knows what topics still hold. For longer: tidings worker recorder"
    extents = Extents(wiring)
    try:
        behind = await recorded_behind(pool, extents)
    finally:
        await aside(extents.close)
    said = said_of_recorder(behind, recorders, sum(one.late for one in known), await unfinished_rebuild(pool), now)
    if behind.records and not recorders:
        raise TidingsError(f"{said}. Start one with `tidings worker recorder`")
    if behind.since is not None and now - behind.since > _LATE:
        raise TidingsError(f"{said}. Start another `tidings worker recorder`, up to the number of partitions")
    return said


def said_of_recorder(behind: Behind, recorders: int, late: int, unfinished: Unfinished | None, now: datetime) -> str:
    """A sentence of what is missing, how many recorders there are, and what is to be looked at."""
    parts = [behind.in_words(now) or "everything is recorded"]
    parts.append("no recorder runs" if not recorders else f"{recorders} recorder{'s' if recorders > 1 else ''}")
    if late:
        parts.append(f"{late} records came after their day was dropped (retention.recorded)")
    if unfinished:
        since = f"{unfinished.begun_at:%Y-%m-%d %H:%MZ}"
        parts.append(
            f"a rebuild that {unfinished.begun_by} began at {since} has not ended: where it is not running,"
            " `tidings rebuild read-models` begins anew"
        )
    return "; ".join(parts)
