"""Retries: a list that a person can read, and a pure function."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

JITTER = 0.2
"""A wait is lengthened or shortened by at most this share, so that failed deliveries do not come back all at once."""


_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
"""The wait that a provider may ask for in any case, however short the schedule's own are."""


def next_attempt(
    schedule: Sequence[timedelta], attempts: int, *, random: float, retry_after: float | None = None
) -> timedelta | None:
    """The wait after `attempts` failed tries, or None when the schedule is used up.

    `random` is in [0, 1). `retry_after` (seconds, from the provider) lengthens a wait and never shortens it.
    """
    if attempts > len(schedule):
        return None
    wait = schedule[attempts - 1] * (1 + JITTER * (2 * random - 1))
    return max(wait, asked_wait(schedule, retry_after))


def asked_wait(schedule: Sequence[timedelta], retry_after: float | None) -> timedelta:
    """The wait that a provider asked for, in seconds: at most the schedule's longest (or an hour), and a day.

    What a provider says may be nonsense; a customer's message must not wait for years because of it.
    """
    longest = min(max((*schedule, _HOUR)), _DAY)
    return timedelta(seconds=min(max(retry_after or 0.0, 0.0), longest.total_seconds()))
