"""Decisions of distributions by the hour: counted while matching, written aside, so that matching waits for nobody."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

import asyncpg
import structlog

from agents.roles.matcher.sampling import FieldSamples
from agents.telemetry.metrics import Metrics
from schemas.errors import CannotStart, TryLater
from store.fields_seen import FieldsSeen
from store.watching import DecisionHours, HourKey

log = structlog.get_logger()

MOST = 50_000
"""Counts in memory: with more distributions, hours and reasons than that the rest is not counted."""
FIELDS_A_SECOND = 20.0
"""Events of each type and project whose fields are looked into."""
_WRITE_SECONDS = 20.0
_LAST_WRITE_SECONDS = 3.0
_AT_A_TIME = 5_000

Decided = tuple[str, str, str, str]
"""Project, distribution, outcome and reason."""


class DecisionCounts:
    """The counts of one run of a matcher. `connect` opens a pool; it may be away for as long as it likes."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[asyncpg.Pool]],
        metrics: Metrics,
        *,
        instance: str,
        most: int = MOST,
        fields_a_second: float = FIELDS_A_SECOND,
    ) -> None:
        self._connect, self._metrics, self._most = connect, metrics, most
        self.fields = FieldSamples(fields_a_second, metrics)
        self._worker = f"{instance}/{uuid.uuid4().hex}"
        self._counts: Counter[HourKey] = Counter()
        self._changed: set[HourKey] = set()
        self._hour: datetime | None = None
        self._pool: asyncpg.Pool | None = None
        self._is_away = False

    def add(self, decided: Mapping[Decided, int], now: datetime) -> None:
        """Count what a batch decided."""
        hour = now.replace(minute=0, second=0, microsecond=0)
        if self._hour is None or hour > self._hour:
            self._hour = hour
            self._forget()
        for (project, distribution, outcome, reason), count in decided.items():
            key = HourKey(project, distribution, hour, reason if outcome == "skipped" else "")
            if key not in self._counts and len(self._counts) >= self._most:
                self._metrics.watch_uncounted.inc(count)
                continue
            self._counts[key] += count
            self._changed.add(key)

    async def run(self) -> None:
        """Write now and then, until cancelled. Whatever keeps it from that is no reason to stop matching."""
        while True:
            await asyncio.sleep(_WRITE_SECONDS)
            try:
                await self.write()
            except (TryLater, CannotStart) as error:
                if not self._is_away:
                    log.warning("decisions_not_counted", why=str(error), kept=len(self._changed))
                self._is_away = True
            else:
                self._is_away = False

    async def write(self) -> None:
        """Write what has changed, and forget hours that are over. Raises TryLater; CannotStart where we are refused."""
        if self._pool is None:
            self._pool = await self._connect()
        hours, changed = DecisionHours(self._pool), sorted(self._changed)
        for start in range(0, max(1, len(changed)), _AT_A_TIME):
            counts = {key: self._counts[key] for key in changed[start : start + _AT_A_TIME]}
            await hours.put(self._worker, counts)
            self._changed -= {key for key, count in counts.items() if self._counts[key] == count}
        await self.fields.write(FieldsSeen(self._pool))
        self._forget()

    def _forget(self) -> None:
        """Drop hours that are over and written: nothing is counted in them any more."""
        over = [key for key in self._counts if self._hour and key.hour < self._hour - timedelta(hours=1)]
        for key in over:
            if key not in self._changed:
                del self._counts[key]

    async def close(self) -> None:
        """Write the rest, where Postgres is there."""
        try:
            await asyncio.wait_for(self.write(), _LAST_WRITE_SECONDS)
        except (TryLater, CannotStart, TimeoutError):
            log.warning("decisions_not_counted", why="Postgres is away", kept=len(self._changed))
        if self._pool is not None:
            self._pool.terminate()
