"""Turns of bulk work beside live work: what somebody waits for goes first, and the rest never quite stands still."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

_LONGEST = 0.036
"""Seconds that bulk work gives way at most: with a slice of some 4 ms then, it has a tenth of the time in any case."""
_LOOK_AGAIN = 0.002


class Turns:
    """Has bulk work wait between its slices while `is_live_waiting`; all of it has one turn together, one by one."""

    def __init__(self, is_live_waiting: Callable[[], bool], *, longest: float = _LONGEST) -> None:
        self._is_live_waiting, self._longest = is_live_waiting, longest
        self._next = asyncio.Lock()

    async def take(self) -> None:
        """Wait for a turn: at once where nothing live is under way."""
        if not self._is_live_waiting() and not self._next.locked():
            return
        async with self._next:
            until = time.monotonic() + self._longest
            while self._is_live_waiting() and time.monotonic() < until:
                await asyncio.sleep(_LOOK_AGAIN)
