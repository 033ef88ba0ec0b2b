"""Counts of recorded decisions and ends of deliveries: sums, and series by minute, hour or day."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

import asyncpg

from store.postgres import passing_errors
from store.sql import queries

Counted = Literal["decisions", "statuses"]
Dimension = Literal["distribution", "send", "reason", "channel", "arm"]
"""What counts can be kept apart by, beside their outcome: one delivery has several, so they are never added up."""
Bucket = Literal["minute", "hour", "day"]


@dataclass(frozen=True, slots=True)
class CountFilter:
    """A range of whole minutes, of a distribution or a manual send; `until` None has no end.

    `among` are several distributions, where it is not of one.
    The minute is that of the event, of what had waited that at which it was due.
    """

    project_id: str
    since: datetime
    until: datetime | None = None
    distribution: str | None = None
    send: str | None = None
    among: tuple[str, ...] | None = None


class Count(NamedTuple):
    """A number of records; None for what it is not kept apart by, empty for what records do not have."""

    at: datetime | None
    distribution: str | None
    send: str | None
    outcome: str
    reason: str | None
    channel: str | None
    arm: str | None
    records: int


async def counts(
    pool: asyncpg.Pool,
    of: Counted,
    chosen: CountFilter,
    by: Collection[Dimension] = (),
    bucket: Bucket | None = None,
    zone: str = "UTC",
    *,
    most: int | None = None,
) -> list[Count]:
    """Counts by outcome and more, in order; of buckets that begin as in a zone those that have any. Raises TryLater.

    Where there are more than `most`, one more than that is read.
    """
    named = [chosen.distribution] if chosen.distribution else chosen.among
    asked = chosen.project_id, chosen.since, chosen.until, named, chosen.send
    async with passing_errors(pool):
        rows = await pool.fetch(
            queries("counts")[of], *asked, sorted(by), bucket, zone, None if most is None else most + 1
        )
    return [Count(*row) for row in rows]
