"""Looks to the end of a topic: only after one that began later is it known that something is not there."""

from __future__ import annotations

Missed = tuple[str, str]
"""Project and id of a send whose distribution was not there."""


class Looks:
    """Everything that was missed, each with the number of the look that tells whether the topic holds it."""

    def __init__(self) -> None:
        self._missed: dict[Missed, int] = {}
        self._begun = self._over = 0
        self._end: int | None = None

    @property
    def are_wanted(self) -> bool:
        """True where one has to begin."""
        return self._end is None and any(look > self._over for look in self._missed.values())

    def is_over(self, missed: Missed) -> bool:
        """True once one is over that began after this was first asked."""
        return self._over >= self._missed.setdefault(missed, self._begun + 1)

    def begin(self) -> None:
        """From now on the topic's end is asked for."""
        self._begun += 1

    def goes_to(self, end: int) -> None:
        """It ends where the topic ended."""
        self._end = end

    def read_to(self, position: int) -> None:
        """Everything before a position has been read."""
        if self._end is not None and position >= self._end:
            self._over, self._end = self._begun, None
