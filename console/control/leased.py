"""Long work that one process does at once, since it has a lease on it, and the waiting for whoever does it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Any, TypeVar

T = TypeVar("T")

LEASE = timedelta(seconds=60)
"""How long after its last sign of life what a process did is anybody's."""
BEAT_SECONDS = 5.0
LOOK_SECONDS = 0.5


class NotOurs(Exception):
    """Somebody wants its end, or another process works on it."""


async def while_ours(
    work: Coroutine[Any, Any, T],
    beat: Callable[[], Awaitable[bool]],
    is_stopping: Callable[[], bool],
    every: float = BEAT_SECONDS,
) -> T:
    """The outcome of work that goes on as long as each `beat` says that it is ours.

    Raises NotOurs, and what ends the work.
    """
    working, beats = asyncio.ensure_future(work), asyncio.ensure_future(_beats(beat, is_stopping, every))
    try:
        await asyncio.wait((working, beats), return_when=asyncio.FIRST_COMPLETED)
    finally:
        is_done = working.done()
        for task in (working, beats):
            task.cancel()
        await asyncio.gather(working, beats, return_exceptions=True)
    if not is_done:
        await beats
    return await working


async def _beats(beat: Callable[[], Awaitable[bool]], is_stopping: Callable[[], bool], every: float) -> None:
    while not is_stopping() and await beat():
        for _ in range(max(1, round(every / LOOK_SECONDS))):
            if is_stopping():
                break
            await asyncio.sleep(min(every, LOOK_SECONDS))
    raise NotOurs


async def until_over(work: Callable[[], Awaitable[bool]], watch: Coroutine[Any, Any, T]) -> T:
    """The end of `watch`; until then whatever there is to do is done, where nobody else does it."""
    watching = asyncio.ensure_future(watch)
    try:
        while not watching.done():
            if not await work():
                await asyncio.wait((watching,), timeout=LOOK_SECONDS)
        return await watching
    finally:
        watching.cancel()
