"""Messages that alone are too much: how often each was throttled while its destination took others."""

from __future__ import annotations

from streams.sending.settle import MAX_STRIKES

_MOST = 10_000
"""Messages that are remembered; the oldest give way."""


class Strikes:
    """Counts by delivery; a destination that takes nothing at all counts against none."""

    def __init__(self) -> None:
        self._strikes: dict[str, tuple[int, int]] = {}

    def add(self, delivery_id: str, taken: int) -> int:
        """The strikes of a delivery that was throttled again, when its destination has taken so many in all.

        What has reached the most is forgotten: its next attempt is counted anew.
        """
        strikes, before = self._strikes.pop(delivery_id, (0, taken))
        strikes += taken > before
        if strikes < MAX_STRIKES:
            while len(self._strikes) >= _MOST:
                del self._strikes[next(iter(self._strikes))]
            self._strikes[delivery_id] = strikes, taken
        return strikes
