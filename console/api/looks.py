"""Looks at what may change at any moment: one for all who ask while another is under way, begun after they asked.

A key that is revoked is refused from then on, so nothing of it is kept; a busy client asks many times at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

K = TypeVar("K")
T = TypeVar("T")


class Looks(Generic[K, T]):
    """Looks of one process, by what is looked at."""

    def __init__(self) -> None:
        self._under_way: dict[K, asyncio.Future[None]] = {}
        self._next: dict[K, asyncio.Task[T]] = {}

    async def look(self, at: K, look: Callable[[], Awaitable[T]]) -> T:
        """The answer of a look that begins now, or once that under way has ended. Raises what it raises."""
        before = self._under_way.get(at)
        if before is None:
            return await self._alone(at, look)
        if at not in self._next:
            self._next[at] = asyncio.create_task(self._behind(before, at, look))
        return await asyncio.shield(self._next[at])  # whoever asks may be gone before the others

    async def _behind(self, before: asyncio.Future[None], at: K, look: Callable[[], Awaitable[T]]) -> T:
        await before
        del self._next[at]
        return await self._alone(at, look)

    async def _alone(self, at: K, look: Callable[[], Awaitable[T]]) -> T:
        ended = self._under_way[at] = asyncio.get_running_loop().create_future()
        try:
            return await look()
        finally:
            if at not in self._next:
                del self._under_way[at]
            ended.set_result(None)
