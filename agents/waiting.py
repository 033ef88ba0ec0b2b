"""Work on a dependency that is away: tried again until it is back, the offset kept meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from schemas.errors import Asking, TryLater

log = structlog.get_logger()

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
_ASKING_PAUSE = 0.01

T = TypeVar("T")


class Waits:
    """Dependencies that work waits for, and how often it was told to: an attempt that hangs is told nothing."""

    def __init__(self) -> None:
        self.refusals = 0
        self._asked: dict[object, str] = {}
        self._under_way: dict[object, str] = {}

    def began(self, work: object, what: str) -> None:
        """A dependency was asked and has not answered yet."""
        self._asked[work] = what

    def refused(self, work: object, what: str) -> None:
        """A dependency has said that it is away."""
        self.refusals += 1
        self._under_way[work] = what

    def over(self, work: object) -> None:
        """Some work waits no more, or never did."""
        self._asked.pop(work, None)
        self._under_way.pop(work, None)

    def asked(self) -> list[str]:
        """The dependencies whose answer is waited for, refused or not."""
        return sorted(set(self._asked.values()))

    def what(self) -> list[str]:
        """The dependencies that are waited for now."""
        return sorted(set(self._under_way.values()))


OUTAGES = Waits()
"""Those of this process."""


async def retry_until_available(work: Callable[[], Awaitable[T]], *, what: str, waits: Waits = OUTAGES) -> T:
    """Do `work`, again and again while it raises TryLater, with growing pauses. Any other error goes through."""
    pause, this = _FIRST_PAUSE, object()
    waits.began(this, what)
    try:
        while True:
            try:
                return await work()
            except Asking:
                await asyncio.sleep(_ASKING_PAUSE)
            except TryLater as error:
                waits.refused(this, error.what or what)
                log.warning("dependency_unavailable", what=error.what or what, error=str(error), again_in=pause)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
    finally:
        waits.over(this)
