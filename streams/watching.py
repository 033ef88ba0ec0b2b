"""Silence and surprise: a distribution that is quiet for longer than its usual, or skipped for a reason more often."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from schemas.watching import DistributionHours, WatchBounds

HOUR = timedelta(hours=1)
_LEAST_GAPS = 12
"""Gaps between hours, and days that they cover, below which nothing is usual yet."""
_LEAST_HISTORY = timedelta(days=3)
_QUANTILE = 0.99
_LEAST_BEFORE = 200
_LEAST_RISE = 0.2
"""Decisions below which no share is usual yet, and by how much a share rises at least."""


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing was decided since `last`; the usual is to wait for at most `usual`."""

    last: datetime
    usual: timedelta


@dataclass(frozen=True, slots=True)
class Jump:
    """So many of the recent decisions were skipped for one reason; `usual` is its share before."""

    reason: str
    skipped: int
    of: int
    usual: float


def silence(found: DistributionHours, now: datetime, bounds: WatchBounds) -> Silence | None:
    """The silence of a distribution, where it is longer than its gaps are.

    Its usual gap is the quantile of those between hours in which it decided something: nights and weekends are among
    them. One with little history is never silent. A new version begins anew: it may be for fewer events.
    """
    hours = found.hours
    gaps = sorted(after - before for before, after in pairwise(hours))
    if len(gaps) < _LEAST_GAPS or hours[-1] - hours[0] < _LEAST_HISTORY:
        return None
    usual = gaps[min(len(gaps) - 1, int(_QUANTILE * len(gaps)))]
    last = hours[-1] + HOUR
    quiet = now - max(last, found.since)
    return Silence(last, usual) if quiet > max(usual * bounds.silence_factor, bounds.silence_least) else None


def jumps(found: DistributionHours, now: datetime, bounds: WatchBounds) -> Iterator[Jump]:
    """The reasons for which it is skipped more than usual, in the present hour and the one before it."""
    of, before = sum(found.recent.values()), sum(found.before.values())
    if before < _LEAST_BEFORE or now - found.hours[0] < _LEAST_HISTORY:
        return
    for reason, skipped in sorted(found.recent.items()):
        usual = _share(found.before, reason, before)
        if reason and skipped >= bounds.jump_least and skipped / of >= _surprising(usual, bounds.jump_factor):
            yield Jump(reason, skipped, of, usual)


def _share(counts: Mapping[str, int], reason: str, of: int) -> float:
    return counts.get(reason, 0) / of


def _surprising(usual: float, factor: float) -> float:
    """The share from which on it is a surprise: of what is usual anyway, half of the way to all."""
    return min(max(usual * factor, usual + _LEAST_RISE), (1 + usual) / 2)
