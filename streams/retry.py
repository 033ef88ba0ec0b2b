"""When to try again: a list that a person can read, and a pure function."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

JITTER = 0.2
"""A wait is lengthened or shortened by at most this share, so that failed deliveries do not come back all at once."""


def next_attempt(
    schedule: Sequence[timedelta], attempts: int, *, random: float, retry_after: float | None = None
) -> timedelta | None:
    """How long to wait after `attempts` failed tries, or None when the schedule is used up.

    `random` is in [0, 1). `retry_after` (seconds, from the provider) lengthens a wait and never shortens it.
    """
    if attempts > len(schedule):
        return None
    wait = schedule[attempts - 1].total_seconds() * (1 + JITTER * (2 * random - 1))
    return timedelta(seconds=max(wait, retry_after or 0.0))
