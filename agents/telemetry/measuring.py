"""Looks at the work that Postgres has for a loop, apart from the loop itself: they say whether it has to come round."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from agents.telemetry.health import Loop
from schemas.errors import TryLater

log = structlog.get_logger()

_MEASURE_SECONDS = 5.0
_ANSWER_SECONDS = 5.0


async def measure(
    loop: Loop, *looks: Callable[[], Awaitable[None]], is_waiting: Callable[[], bool] = lambda: False
) -> None:
    """Look again and again, until cancelled. Each look has its own time to answer.

    As long as Postgres answers, the loop has to come round: with nothing to do, it does so twice a second. While
    Postgres does not, only what is known to wait (`is_waiting`) makes a stall of the loop's rest.
    """
    while True:
        try:
            for look in looks:
                await asyncio.wait_for(look(), _ANSWER_SECONDS)
            loop.must_progress = True
        except (TryLater, TimeoutError) as error:
            log.warning("dependency_unavailable", what="Postgres", error=str(error) or "no answer in time")
            loop.must_progress = is_waiting()
        await asyncio.sleep(_MEASURE_SECONDS)
