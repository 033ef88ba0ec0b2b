"""The decisions of a distribution by the hour, and how much of a change in them is a surprise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class DistributionHours:
    """A live distribution: its version stands since `since`, and it decided something in each of `hours`, in order.

    `recent` and `before` count what it decided by the reason why it was skipped; the empty one: it was not.
    """

    project_id: str
    distribution_id: str
    since: datetime
    hours: tuple[datetime, ...]
    recent: Mapping[str, int]
    before: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class WatchBounds:
    """Silence: longer than `silence_factor` times the usual gap, and than `silence_least`.

    A jump of a reason: its share is `jump_factor` times the usual, in at least `jump_least` skips.
    """

    silence_factor: float
    silence_least: timedelta
    jump_factor: float
    jump_least: int
