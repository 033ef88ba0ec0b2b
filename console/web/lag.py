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

_LAG_SECONDS, _GROUPS_SECONDS, _OLD_SECONDS = 5.0, 2.0, 30.0
"""Ages at which the lag, and that of groups, is asked for anew; and from which on neither is shown any more."""
_PATIENCE, _GROUPS_PATIENCE = 0.5, 5.0
"""Seconds that a page waits for each."""
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
        self._looked: Look | None = None
        self._looked_at = -math.inf

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
        """The workers of the deployment as they were some seconds ago; None where Kafka does not answer in time.

        One look at a time, which all who ask share: nobody waits for it while a former one can be shown.
        """
        age = asyncio.get_running_loop().time() - self._looked_at
        if age > _GROUPS_SECONDS and (self._looking is None or self._looking.done()):
            self._looking = asyncio.create_task(self._look())
        if self._looking is not None and age > _OLD_SECONDS:
            await asyncio.wait([self._looking], timeout=_GROUPS_PATIENCE)
            return self._looking.result() if self._looking.done() else None
        return self._looked

    async def _look(self) -> Look | None:
        look = await asyncio.to_thread(self._ask_groups)
        if look is not None:
            self._looked, self._looked_at = look, asyncio.get_running_loop().time()
        return look

    def _ask_groups(self) -> Look | None:
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
