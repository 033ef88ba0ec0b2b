"""Results: what was redeemed of the codes that were sent, and the lift against those who are held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from agents.broker.extents import Extents
from console.control.context import ProjectContext
from console.control.distributions import find
from console.control.moments import range_until_now
from console.control.recorded_lag import RECORDED, Behind, known_behind
from schemas.errors import BadQuestion
from schemas.formats.durations import parse_duration
from schemas.purchase import PURCHASE_TOPICS
from store.read_models.results import Judged, Redeemed, ResultFilter, groups, redemptions
from streams.lift import Group, Lift, lift

DEFAULT_SINCE = "30d"
DEFAULT_WITHIN = "7d"
_LONGEST = timedelta(days=90)
_TOLD_BY = (*RECORDED, *PURCHASE_TOPICS)
_MOST = 20_000
"""Rows of a reply."""


@dataclass(frozen=True, slots=True)
class ResultsQuestion:
    """The results that are asked for: who converts does so `within` that time of the decision."""

    chosen: ResultFilter
    within: timedelta


@dataclass(frozen=True, slots=True)
class Comparison:
    """One arm, or all who were not held out where `arm` is None, beside the control group."""

    arm: str | None
    treated: Group
    control: Group
    lift: Lift | None


@dataclass(frozen=True, slots=True)
class Results:
    """Redemptions, comparisons of a distribution that is named, and the customers whose time is not over.

    `behind` is what is not recorded yet; None where Kafka, which knows, does not answer.
    """

    redeemed: Sequence[Redeemed]
    compared: Sequence[Comparison]
    open: int
    behind: Behind | None


def read_results_question(project: ProjectContext, given: Mapping[str, Any], now: datetime) -> ResultsQuestion:
    """A question as somebody wrote it: distribution, since, until, within. Raises BadQuestion."""
    since, until = range_until_now(given, DEFAULT_SINCE, now, project.zone)
    try:
        within = parse_duration(given.get("within") or DEFAULT_WITHIN)
    except ValueError as error:
        raise BadQuestion(str(error), "within") from None
    if not timedelta() < within <= _LONGEST:
        raise BadQuestion(f"must be a span from 1s to {_LONGEST.days}d", "within")
    return ResultsQuestion(ResultFilter(project.project_id, since, until, given.get("distribution") or None), within)


async def results(pool: asyncpg.Pool, extents: Extents, question: ResultsQuestion, now: datetime) -> Results:
    """The results. Raises NotFound for a distribution that neither is there nor has any; BadQuestion; TryLater."""
    behind = await known_behind(pool, extents, _TOLD_BY)
    chosen = question.chosen
    redeemed = await redemptions(pool, chosen, most=_MOST)
    if len(redeemed) > _MOST:
        raise BadQuestion(f"there are more than {_MOST:,} numbers; name a distribution, or ask for less", "since")
    judged = await groups(pool, chosen, question.within, now) if chosen.distribution else []
    if chosen.distribution and not redeemed and not judged:
        await find(pool, chosen.project_id, chosen.distribution)
    return Results(redeemed, compared(judged), sum(one.open for one in judged), behind)


def compared(judged: Sequence[Judged]) -> list[Comparison]:
    """All who were not held out beside those who were, and each arm; nothing where nobody was held out."""
    if not any(one.held_out for one in judged):
        return []
    control = _sum(one for one in judged if one.held_out)
    treated = [one for one in judged if not one.held_out]
    arms = sorted({one.arm for one in treated if one.arm})
    of_arms = [(arm, _sum(one for one in treated if one.arm == arm)) for arm in arms]
    return [Comparison(arm, group, control, lift(group, control)) for arm, group in ((None, _sum(treated)), *of_arms)]


def _sum(judged: Any) -> Group:
    found = list(judged)
    return Group(sum(one.customers for one in found), sum(one.converted for one in found))
