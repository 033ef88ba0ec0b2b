"""The moment up to which holders have read what became of messages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from agents.broker.extents import Place
from agents.broker.lag import Lag

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Asked:
    """The ends of partitions at a moment, or earlier ones of the same topic where it was made anew since."""

    at: datetime
    ends: Mapping[Place, int]


class ToldStatuses:
    """Asked of the broker, since each partition is read by one of many processes.

    `lags` tells how far the group is in `delivery.status`, `now` is the database's clock; either may raise TryLater.
    """

    def __init__(self, lags: Callable[[], Awaitable[Sequence[Lag]]], now: Callable[[], Awaitable[datetime]]) -> None:
        self._lags, self._now = lags, now
        self._asked = _Asked(_NEVER, {})
        self.until = _NEVER
        """What was written before is read, and kept."""

    async def look(self) -> None:
        """Move `until` on, as far as is known. Where more is written all the time, it takes two looks."""
        at = await self._now()
        lags = await self._lags()
        now = _Asked(at, {(one.topic, one.partition): one.end for one in lags})
        read = {(one.topic, one.partition): one.end - one.lag for one in lags}
        for asked in (self._asked, now):
            if all(offset >= min(asked.ends.get(place, 0), now.ends[place]) for place, offset in read.items()):
                self.until, self._asked = max(self.until, asked.at), now
