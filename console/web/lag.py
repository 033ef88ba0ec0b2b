"""The lag of recorders and of all groups, asked for now and then: pages neither wait for Kafka nor ask it each."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from agents.broker.groups import Groups, Member
from agents.wiring import Wiring
from console.control.lag import GroupLag, group_lags
from console.control.recorded_lag import Behind, known_behind
from schemas.errors import TryLater

_LAG_SECONDS, _OLD_SECONDS, _PATIENCE = 5.0, 30.0, 0.5
"""Ages at which the lag is asked for anew, and not shown any more; and the time that a page waits for it."""
_GROUPS_PATIENCE = 5.0
_NOT_KNOWN = "Kafka does not answer: what is not recorded yet is not known"


@dataclass(frozen=True, slots=True)
class Look:
    """The processes of all groups at a moment, and how far each partition is."""

    members: Sequence[Member]
    groups: Sequence[GroupLag]


class Lag:
    """The lag of what recorders keep, asked for now and then: pages neither wait for Kafka nor ask it each."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._asking: asyncio.Task[None] | None = None
        self._known: Behind | None = None
        self._known_at = -math.inf
        self._groups: Groups | None = None
        self._looking: asyncio.Task[Look | None] | None = None

    async def in_words(self, pool: asyncpg.Pool, now: datetime) -> str | None:
        """A sentence about what is missing, or that this is not known; None where nothing is. Raises TryLater."""
        if self._age > _LAG_SECONDS:
            if self._asking is None or self._asking.done():
                self._asking = asyncio.create_task(self._ask(pool))
            await asyncio.wait([self._asking], timeout=_PATIENCE)
            if self._asking.done():
                self._asking.result()
        if self._known is None or self._age > _OLD_SECONDS:
            return _NOT_KNOWN
        return self._known.in_words(now)

    async def of_groups(self) -> Look | None:
        """The workers of the deployment; None where Kafka does not answer in time. Those who ask meanwhile share it."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(asyncio.to_thread(self._look))
        await asyncio.wait([self._looking], timeout=_GROUPS_PATIENCE)
        return self._looking.result() if self._looking.done() else None

    def _look(self) -> Look | None:
        if self._groups is None:
            self._groups = Groups(self._wiring)
        try:
            return Look(self._groups.read(), group_lags(self._wiring))
        except TryLater:
            return None

    @property
    def _age(self) -> float:
        return asyncio.get_running_loop().time() - self._known_at

    async def _ask(self, pool: asyncpg.Pool) -> None:
        self._known = await known_behind(pool, self._wiring.extents)
        self._known_at = asyncio.get_running_loop().time()
