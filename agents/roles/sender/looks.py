"""Looks: when the ledger is looked through for queues that this process does not know, or whose oldest has changed."""

from __future__ import annotations

import time
from collections.abc import Callable

_REST, _LONGEST_REST = 5.0, 60.0
"""Seconds from a look at the last queue to one at the first: another sender may have gone, or put something back."""
_BETWEEN = 0.1
"""Seconds between two parts of all queues."""
_REST_SHARE = 20
"""So many times what a part took, where that is longer: an old transaction can make each take long."""


class Looks:
    """The moment of the next look, by the process's steady clock `ticks`."""

    def __init__(self, ticks: Callable[[], float] = time.monotonic) -> None:
        self._ticks, self._at, self._again = ticks, 0.0, False

    def is_due(self) -> bool:
        """True where it is time."""
        return not self.due_in()

    def due_in(self) -> float:
        """Seconds until it is time."""
        return max(0.0, self._at - self._ticks())

    def hurry(self) -> None:
        """Look at once, and at all: somebody has changed what waits."""
        self._at, self._again = 0.0, True

    def looked(self, seconds: float, *, is_over: bool) -> None:
        """A look has taken so long; `is_over` where it came to the last queue."""
        rest = _REST if is_over and not self._again else _BETWEEN
        self._again = self._again and not is_over
        self._at = self._ticks() + min(_LONGEST_REST, max(rest, _REST_SHARE * seconds))
