"""A provider's limit: so many within any so many seconds."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field


@dataclass(slots=True)
class Limit:
    """`takes()` counts what it lets through; `refused` is how often it did not."""

    count: int
    seconds: float
    refused: int = 0
    _taken: deque[float] = field(default_factory=deque)

    def takes(self) -> bool:
        """Tell whether one more is taken now, and count it."""
        now = time.monotonic()
        while self._taken and self._taken[0] <= now - self.seconds:
            self._taken.popleft()
        if len(self._taken) >= self.count:
            self.refused += 1
            return False
        self._taken.append(now)
        return True

    @property
    def free_in(self) -> float:
        """Seconds until the next would be taken."""
        return max(0.0, self._taken[0] + self.seconds - time.monotonic()) if len(self._taken) >= self.count else 0.0
