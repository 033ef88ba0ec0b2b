"""Statistics: how many decisions and deliveries came out how, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast, get_args

import asyncpg

from agents.broker.extents import Extents
from console.control.context import ProjectContext
from console.control.distributions import find
from console.control.moments import range_until_now
from console.control.recorded_lag import Behind, known_behind
from schemas.errors import BadQuestion
from schemas.formats.durations import format_duration
from schemas.names import ROUGHLY_LIKE, did_you_mean
from store.read_models.counts import Bucket, Count, CountFilter, Dimension, counts

By = Literal["outcome", "distribution", "send", "reason", "channel", "arm", "minute", "hour", "day"]
"""What numbers are kept apart by. By outcome they always are."""
BY: tuple[By, ...] = get_args(By)
DEFAULT_SINCE = "24h"

_BUCKETS: dict[Bucket, timedelta] = {
    "minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1),
}  # fmt: skip
_MOST_BUCKETS = 3000
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Question:
    """The numbers that are asked for, and the name of the zone in which hours and days begin."""

    chosen: CountFilter
    by: frozenset[Dimension]
    bucket: Bucket | None
    zone: str


@dataclass(frozen=True, slots=True)
class Statistics:
    """Numbers of decisions, and of ends and reports of deliveries: those above 0, in order.

    `behind` is what is not among them yet; None where Kafka, which knows, does not answer.
    """

    decisions: Sequence[Count]
    deliveries: Sequence[Count]
    behind: Behind | None


def read_question(project: ProjectContext, given: Mapping[str, Any], now: datetime) -> Question:
    """A question as somebody wrote it: distribution, send, since, until, by. Raises BadQuestion.

    Where nothing says what to keep apart by, it is by distribution, unless one is named.
    """
    named = {name: given.get(name) or None for name in ("distribution", "send")}
    since, until = range_until_now(given, DEFAULT_SINCE, now, project.zone)
    by = given.get("by") or (("outcome",) if any(named.values()) else ("distribution",))
    dimensions, bucket = _read_by(by)
    if bucket and (until - since) / _BUCKETS[bucket] > _MOST_BUCKETS:
        longest = format_duration(_MOST_BUCKETS * int(_BUCKETS[bucket].total_seconds()))
        raise BadQuestion(
            f"{bucket} is for {longest} at most; ask for a shorter range, or by another of hour, day", "by"
        )
    chosen = CountFilter(project.project_id, whole_minute(since), whole_minute(until, up=True), **named)
    return Question(chosen, dimensions, bucket, str(project.zone))


def _read_by(by: Sequence[str]) -> tuple[frozenset[Dimension], Bucket | None]:
    for one in by:
        if one not in BY:
            hint = did_you_mean(one, BY, ROUGHLY_LIKE)
            raise BadQuestion(f'"{one}" is not valid: must be one of {", ".join(BY)}.{hint}', "by")
    buckets = [one for one in _BUCKETS if one in by]
    if len(buckets) > 1:
        raise BadQuestion(f"{' and '.join(buckets)} exclude each other; name one of {', '.join(_BUCKETS)}", "by")
    dimensions = frozenset(cast(Dimension, one) for one in by if one not in _BUCKETS and one != "outcome")
    return dimensions, buckets[0] if buckets else None


def whole_minute(moment: datetime, *, up: bool = False) -> datetime:
    """The minute that a moment is in; `up`: the first one that is not before it."""
    floor = moment.astimezone(UTC).replace(second=0, microsecond=0)
    return floor + _MINUTE if up and floor < moment else floor


async def numbers_of(
    pool: asyncpg.Pool, project_id: str, distributions: Sequence[str], since: datetime, until: datetime
) -> tuple[list[Count], list[Count]]:
    """Decisions, and ends and reports of deliveries, of some distributions by outcome. Raises TryLater."""
    chosen = CountFilter(project_id, whole_minute(since), whole_minute(until, up=True), among=tuple(distributions))
    by: tuple[Dimension, ...] = ("distribution",)
    return await counts(pool, "decisions", chosen, by), await counts(pool, "statuses", chosen, by)


async def statistics(pool: asyncpg.Pool, extents: Extents, question: Question, most: int | None = None) -> Statistics:
    """The numbers. Raises NotFound for a distribution that neither is there nor has any; TryLater.

    BadQuestion where there are more than `most` decisions', or deliveries', numbers: a part would be taken for all.
    """
    behind = await known_behind(pool, extents)
    chosen, by, bucket, zone = question.chosen, question.by, question.bucket, question.zone
    decisions = await counts(pool, "decisions", chosen, by, bucket, zone, most=most)
    deliveries = await counts(pool, "statuses", chosen, by, bucket, zone, most=most)
    if most is not None and max(len(decisions), len(deliveries)) > most:
        raise BadQuestion(f"there are more than {most:,} numbers; ask for a shorter range, or keep less apart", "by")
    if chosen.distribution and not decisions and not deliveries:
        await find(pool, chosen.project_id, chosen.distribution)
    return Statistics(decisions, deliveries, behind)
