"""Decisions and ends of deliveries found again in the read models: by customer, event, distribution or delivery."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

import asyncpg

from schemas.closed import Outcome, members
from store.postgres import passing_errors
from store.sql import queries

_STRETCHES = (timedelta(days=7), timedelta(days=56))
"""Looked through one after the other, from the newest on, and then the rest: a page is mostly full before."""
_EARLIEST = datetime.min.replace(tzinfo=UTC)
"""As asyncpg says -infinity to Postgres."""
_SLACK = timedelta(days=1)
"""Clocks of upstream may be ahead, so that what waited for a moment was due before its event."""


class Place(NamedTuple):
    """A place among decisions as pages have them: the newest event first."""

    event_at: datetime
    event_id: str
    decision_id: str


@dataclass(frozen=True, slots=True)
class Asked:
    """Decisions that are asked for: of a customer, an event or a distribution, one of which there is.

    Events from `since` on and before `until`, behind `after`; only those with an outcome, or a reason, where one is
    given.
    """

    project_id: str
    customer_id: str | None = None
    event_id: str | None = None
    distribution_id: str | None = None
    delivery_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    after: Place | None = None
    outcome: str | None = None
    reason: str | None = None


class Published(NamedTuple):
    """A code's customer, and the event and distribution by which it went out."""

    customer_id: str
    event_id: str
    distribution_id: str


class RecordedSearch:
    """Reads what recorders keep. Raises TryLater while Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool, self._sql = pool, queries("recorded_search")

    async def decisions(self, asked: Asked, limit: int, now: datetime) -> list[asyncpg.Record]:
        """The newest that are asked for, at most `limit`.

        Looked for stretch by stretch: a query over all days has a look at each, however many hits the last one has.
        """
        upper, lowest = asked.until, asked.since or _EARLIEST
        newest = min(one for one in (asked.after and asked.after.event_at, upper, now) if one)
        found: list[asyncpg.Record] = []
        for stretch in (*_STRETCHES, None):
            lower = lowest if stretch is None else max(lowest, _before(newest, stretch))
            found += await self._stretch(asked, lower, upper, limit - len(found))
            if len(found) >= limit or lower <= lowest:
                break
            upper = lower
        return found

    async def _stretch(self, asked: Asked, lower: datetime, upper: datetime | None, limit: int) -> list[asyncpg.Record]:
        after = tuple(asked.after) if asked.after else (None, None, None)
        filters = (
            *(asked.customer_id, asked.distribution_id, asked.event_id, asked.delivery_id),
            *([asked.outcome] if asked.outcome else list(members(Outcome)), asked.reason),
        )
        values = asked.project_id, lower, upper, _first_day(lower), *after, limit, *filters
        return await self._fetch(_query_of(asked), *values)

    async def ends(self, project_id: str, delivery_ids: Collection[str], since: datetime) -> list[asyncpg.Record]:
        """delivery_id, outcome, at, reason, detail, attempts; of deliveries whose events are not before `since`."""
        return await self._fetch("ends_of", project_id, list(delivery_ids), _first_day(since))

    async def of_delivery(self, project_id: str, delivery_id: str) -> tuple[str, str] | None:
        """The customer and the event of a delivery that has come to an end; None where that is not known."""
        rows = await self._fetch("of_delivery", project_id, delivery_id)
        return (rows[0]["customer_id"], rows[0]["event_id"]) if rows else None

    async def of_code(self, project_id: str, code: str) -> Published | None:
        """The customer who has a code, and the event by which; None where nobody has."""
        rows = await self._fetch("of_code", project_id, code)
        return Published(*rows[0]) if rows else None

    async def oldest_day(self, keep: timedelta) -> date:
        """The first day that is kept, by the database's clock."""
        (row,) = await self._fetch("oldest_day", keep)
        day: date = row[0]
        return day

    async def erased(self, project_id: str, customers: Collection[str]) -> Mapping[str, datetime]:
        """Of some customers, when those were erased who were."""
        rows = await self._fetch("erased", project_id, list(customers))
        return {row["customer_id"]: row["erased_at"] for row in rows}

    async def _fetch(self, name: str, *values: object) -> list[asyncpg.Record]:
        async with passing_errors(self._pool):
            rows: list[asyncpg.Record] = await self._pool.fetch(self._sql[name], *values)
            return rows


def _query_of(asked: Asked) -> str:
    """The query by the key that leaves least."""
    if asked.event_id is not None:
        return "decisions_of_event"
    return "decisions_of_customer" if asked.customer_id is not None else "decisions_of_distribution"


def _first_day(since: datetime) -> date:
    """The first day on which decisions about events from then on may stand."""
    return _before(since, _SLACK).date()


def _before(moment: datetime, span: timedelta) -> datetime:
    try:
        return moment.astimezone(UTC) - span
    except OverflowError:
        return _EARLIEST
