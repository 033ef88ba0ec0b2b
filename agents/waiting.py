"""Work on a dependency that is away: tried again until it is back, the offset kept meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from schemas.errors import TryLater

log = structlog.get_logger()

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0

T = TypeVar("T")


async def until_done(work: Callable[[], Awaitable[T]], *, what: str) -> T:
    """Do `work`, again and again while it raises TryLater, with growing pauses. Any other error goes through."""
    pause = _FIRST_PAUSE
    while True:
        try:
            return await work()
        except TryLater as error:
            log.warning("dependency_away", what=what, error=str(error), again_in=pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
