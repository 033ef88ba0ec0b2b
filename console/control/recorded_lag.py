"""The lag of what recorders keep behind what was decided and what became of it: whoever shows it says so beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from agents.broker.extents import Extent, Extents, Place
from agents.ingest_time import moment
from schemas.errors import TryLater
from schemas.formats.durations import format_duration
from schemas.topics import DECISIONS, DELIVERY_STATUS
from store.read_models.positions import Position, positions

RECORDED = (DECISIONS, DELIVERY_STATUS)
"""The topics of what is asked for most; recorders read those of purchases as well."""
_NOT_BEGUN = -1
"""Earlier than every record, in Unix milliseconds."""


@dataclass(frozen=True, slots=True)
class Behind:
    """The number of records that are not in yet, and when the oldest of them reached Kafka; None where all are in."""

    records: int
    since: datetime | None = None

    def in_words(self, now: datetime, of: str = "decisions and deliveries") -> str | None:
        """A sentence about what is missing; None where nothing is."""
        if self.since is None:
            return None
        are = "1 record" if self.records == 1 else f"{self.records} records"
        seconds = max(0, int((now - self.since).total_seconds()))
        return f"{are} of {of} not recorded yet, the oldest for {_span(seconds)}"


async def recorded_behind(
    pool: asyncpg.Pool, extents: Extents, *, key: bytes | None = None, topics: Sequence[str] = RECORDED
) -> Behind:
    """The lag of the read models behind some topics; with the key of a customer's records, for that customer alone.

    Raises TryLater while Kafka or Postgres is away.
    """
    known = await positions(pool)  # before the ends, so that what comes in between is missing rather than not
    return await asyncio.to_thread(behind_there, known, extents, key, topics)


def behind_there(
    known: Sequence[Position], extents: Extents, key: bytes | None, topics: Sequence[str] = RECORDED
) -> Behind:
    """The same for whoever knows how far recorders are. Blocks. Raises TryLater while Kafka is away."""
    return behind_of(known, extents, extents.read(topics, key))


def behind_of(known: Sequence[Position], extents: Extents, there: Sequence[Extent]) -> Behind:
    """The same for whoever knows what is there as well."""
    left = missing(known, there)
    if not left:
        return Behind(0)
    stamps = {(one.topic, one.partition): one.stamp for one in known}
    before = {place: stamps.get(place, _NOT_BEGUN) for place in left}
    found = extents.first_after(before)
    return Behind(sum(left.values()), moment(min(found.get(place, before[place]) for place in left)))


async def known_behind(pool: asyncpg.Pool, extents: Extents, topics: Sequence[str] = RECORDED) -> Behind | None:
    """The same; None where Kafka, which knows, does not answer. Raises TryLater while Postgres is away.

    Asked before the numbers: what comes in meanwhile is then said to be missing, and is there.
    """
    try:
        return await recorded_behind(pool, extents, topics=topics)
    except TryLater as error:
        if error.what == "Postgres":
            raise
        return None


def missing(known: Iterable[Position], there: Iterable[Extent]) -> Mapping[Place, int]:
    """Offsets that are not in yet, of partitions that have such."""
    at = {(one.topic, one.partition): one.next_offset for one in known}
    left = {(one.topic, one.partition): _left(at.get((one.topic, one.partition), 0), one) for one in there}
    return {place: count for place, count in left.items() if count}


def _left(position: int, extent: Extent) -> int:
    """Offsets to read. Those that retention took are not counted; of a topic that was made anew nothing is in."""
    return extent.end - (position if extent.start <= position <= extent.end else extent.start)


def _span(seconds: int) -> str:
    unit = next((size for size in (86_400, 3600, 60) if seconds >= size), 1)
    return format_duration(seconds // unit * unit)
