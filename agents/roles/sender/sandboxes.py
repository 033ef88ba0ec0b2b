"""The projects that are sandboxes, as they were a moment ago."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping

from schemas.errors import TryLater

_KEPT_SECONDS, _TRUSTED_SECONDS = 3.0, 60.0


class Sandboxes:
    """Each with the keys of addresses that it reaches. `load` reads all of them and raises TryLater.

    While the store is away, what was known last counts for a minute: it may be away for this process alone.
    """

    def __init__(
        self, load: Callable[[], Awaitable[Mapping[str, Collection[str]]]], ticks: Callable[[], float] = time.monotonic
    ) -> None:
        self._load, self._ticks = load, ticks
        self._known: Mapping[str, Collection[str]] | None = None
        self._asked = self._read = 0.0
        self._asking = asyncio.Lock()

    async def allowed(self, project_id: str) -> Collection[str] | None:
        """The keys that a project reaches; None where it is not a sandbox. Raises TryLater while that is not known."""
        if self._known is None or self._ticks() - self._asked >= _KEPT_SECONDS:
            async with self._asking:
                await self._refresh()
        assert self._known is not None  # noqa: S101 - the refresh has set it, or raised
        return self._known.get(project_id)

    async def _refresh(self) -> None:
        if self._known is not None and self._ticks() - self._asked < _KEPT_SECONDS:
            return  # another delivery has asked meanwhile
        try:
            self._known, self._read = await self._load(), self._ticks()
        except TryLater:
            if self._known is None or self._ticks() - self._read >= _TRUSTED_SECONDS:
                raise
        self._asked = self._ticks()
