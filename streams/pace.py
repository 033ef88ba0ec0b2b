"""The number of members that a send may be ahead of what leaves: as many as left within the last minute.

So it follows whatever its accounts take, be that a limit they were given, one that senders learned, or their own speed.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field


@dataclass(slots=True)
class Pace:
    """Deliveries of one send that left, as seen over the last `seconds`; `least` may be ahead whatever left.

    Times are of a steady clock.
    """

    seconds: float
    least: int
    _seen: deque[tuple[float, int]] = field(default_factory=deque)

    def capacity(self, now: float, emitted: int, ahead: int) -> int:
        """The number of events that may be made now. `ahead` are those of `emitted` that have not left yet."""
        gone = emitted - ahead
        while self._seen and self._seen[0][0] < now - self.seconds:
            self._seen.popleft()
        self._seen.append((now, gone))
        left = gone - min(before for _, before in self._seen)
        return max(0, max(self.least, left) - ahead)
