"""The way of a distribution's messages through a range of time: from what matched to what was redeemed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

import asyncpg

from console.control.context import ProjectContext
from console.control.moments import range_until_now
from console.control.over_time import OverTime, Range, bucket_of, over_time
from console.control.statistics import whole_minute
from schemas.errors import BadQuestion
from store.read_models.counts import Bucket, Count, CountFilter, Dimension, counts
from store.read_models.results import ResultFilter, redemptions

DEFAULT_SINCE = "7d"
_LONGEST = timedelta(days=400)
_MOST = 1000
"""Redemptions apart by arm and currency: nobody has so many."""

StepName = Literal["matched", "decided", "sent", "delivered", "opened", "clicked", "redeemed"]
_ENDED: Mapping[StepName, tuple[str, ...]] = {
    "sent": ("sent", "recovered"), "delivered": ("delivered",), "opened": ("opened",), "clicked": ("clicked",),
}  # fmt: skip
_BASES: Mapping[StepName, StepName] = {
    "decided": "matched", "sent": "decided", "delivered": "sent", "opened": "sent", "clicked": "sent",
    "redeemed": "sent",
}  # fmt: skip
"""Of each step the one that it is a share of: not the step before, where others tell that one, or nobody does."""
_BY: tuple[Dimension, ...] = ("reason",)
_NOT_MADE = ("skipped", "deferred")
_NOT_SENT = ("failed", "suppressed", "expired", "canceled", "bounced", "complained")


@dataclass(frozen=True, slots=True)
class Step:
    """Messages that came so far, in the range and in the one before it; `base` is the step that they are a share of."""

    name: StepName
    records: int
    before: int
    base: StepName | None

    def share(self, steps: Sequence[Step]) -> float | None:
        """The share of its base; None where that is 0, or where more came so far, as on the edge of a range."""
        of = next((one.records for one in steps if one.name == self.base), 0)
        return self.records / of if of > 0 and self.records <= of else None


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """Messages of which the same became for the same reason; `reason` is empty where the product gave none."""

    outcome: str
    reason: str
    records: int


@dataclass(frozen=True, slots=True)
class Funnel:
    """The steps of a distribution's messages, why others did not come so far, the most frequent first, and when."""

    steps: tuple[Step, ...]
    reasons: tuple[ReasonCount, ...]
    over_time: OverTime


def read_range(project: ProjectContext, given: Mapping[str, Any], now: datetime) -> Range:
    """The range of `since` and `until` as somebody wrote them, in whole minutes. Raises BadQuestion."""
    since, until = range_until_now(given, DEFAULT_SINCE, now, project.zone)
    if until - since > _LONGEST:
        raise BadQuestion(f"must be at most {_LONGEST.days} days before until", "since")
    return Range(whole_minute(since), whole_minute(until, up=True))


async def funnel(pool: asyncpg.Pool, project: ProjectContext, distribution: str, asked: Range) -> Funnel:
    """The numbers of a distribution, of events of a range. Raises TryLater.

    A decision that was put off is not counted beside the one that was made at last. What is redeemed is so of
    purchases within the range.
    """
    numbers = _Numbers(pool, project, distribution)
    (decided, ended, redeemed), earlier = await asyncio.gather(
        numbers.of(asked, _BY, bucket_of(asked)), numbers.of(asked.before)
    )
    steps, before = _steps(decided, ended, redeemed), _steps(*earlier)
    return Funnel(
        tuple(Step(name, records, before[name], _BASES.get(name)) for name, records in steps.items()),
        _reasons(decided, ended),
        over_time(asked, project.zone, decided, ended),
    )


@dataclass(frozen=True, slots=True)
class _Numbers:
    """Decisions, ends and reports of a distribution, and how many redemptions were not taken back."""

    pool: asyncpg.Pool
    project: ProjectContext
    distribution: str

    async def of(
        self, asked: Range, by: Sequence[Dimension] = (), bucket: Bucket | None = None
    ) -> tuple[list[Count], list[Count], int]:
        pool, whose, zone = self.pool, self.project.project_id, str(self.project.zone)
        chosen = CountFilter(whose, asked.since, asked.until, self.distribution)
        decided = await counts(pool, "decisions", chosen, by, bucket, zone)
        ended = await counts(pool, "statuses", chosen, by, bucket, zone)
        bought = ResultFilter(whose, asked.since, asked.until, self.distribution)
        redeemed = await redemptions(pool, bought, most=_MOST)
        return decided, ended, sum(one.redemptions - one.taken_back for one in redeemed)


def _steps(decided: Iterable[Count], ended: Iterable[Count], redeemed: int) -> dict[StepName, int]:
    decisions, ends = _by_outcome(decided), _by_outcome(ended)
    return {
        "matched": decisions["emitted"] + decisions["skipped"],
        "decided": decisions["emitted"],
        **{name: sum(ends[one] for one in outcomes) for name, outcomes in _ENDED.items()},
        "redeemed": redeemed,
    }


def _by_outcome(counted: Iterable[Count]) -> Counter[str]:
    found: Counter[str] = Counter()
    for one in counted:
        found[one.outcome] += one.records
    return found


def _reasons(decided: Iterable[Count], ended: Iterable[Count]) -> tuple[ReasonCount, ...]:
    found: Counter[tuple[str, str]] = Counter()
    for one in (*decided, *ended):
        if one.outcome in _NOT_MADE or one.outcome in _NOT_SENT:
            found[one.outcome, one.reason or ""] += one.records
    rows = [ReasonCount(outcome, reason, records) for (outcome, reason), records in found.items() if records]
    return tuple(sorted(rows, key=lambda one: (-one.records, one.outcome, one.reason)))
