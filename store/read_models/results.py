"""Results of distributions: redemptions of the codes that were sent, and conversions with and without a message."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import asyncpg

from schemas.closed import Reason
from store.postgres import passing_errors
from store.sql import queries

_BEHIND_THE_DRAW: tuple[Reason, ...] = (
    "duplicate", "capped", "quiet_hours", "limit", "no_code", "template_error",
)  # fmt: skip
"""Reasons for which a message is skipped whose customer is not held out: what is looked at only then."""


@dataclass(frozen=True, slots=True)
class ResultFilter:
    """A range of time of a project, of one distribution where that is named."""

    project_id: str
    since: datetime
    until: datetime
    distribution: str | None = None


class Redeemed(NamedTuple):
    """Redemptions with one currency, and of how many customers; of the codes that an arm of a distribution gave.

    `distribution` is None where no delivery is known that gave the code. `taken_back` are among `redemptions`; the
    revenue, in minor units, is that of the others.
    """

    distribution: str | None
    arm: str | None
    currency: str | None
    redemptions: int
    taken_back: int
    customers: int
    revenue: int


class Judged(NamedTuple):
    """Customers of one group and arm: those whose time is over, those of them who converted, and the others."""

    held_out: bool
    arm: str | None
    customers: int
    converted: int
    open: int


async def redemptions(pool: asyncpg.Pool, chosen: ResultFilter, *, most: int) -> list[Redeemed]:
    """Redemptions by distribution, arm and currency; of `most` and one more the first. Raises TryLater."""
    asked = chosen.project_id, chosen.since, chosen.until, chosen.distribution, most + 1
    async with passing_errors(pool):
        rows = await pool.fetch(queries("results")["redemptions"], *asked)
    return [Redeemed(*row)._replace(revenue=int(row["revenue"])) for row in rows]


async def groups(pool: asyncpg.Pool, chosen: ResultFilter, within: timedelta, now: datetime) -> list[Judged]:
    """Those whom a distribution was decided about, with it and without. Raises TryLater."""
    asked = chosen.project_id, chosen.since, chosen.until, chosen.distribution
    async with passing_errors(pool):
        rows = await pool.fetch(queries("results")["groups"], *asked, within, list(_BEHIND_THE_DRAW), now)
    return [Judged(*row) for row in rows]
