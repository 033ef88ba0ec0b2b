"""Statistics over HTTP: how many decisions and deliveries came out how, from counts that recorders keep."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from console.api.recorded import NotRecorded, not_recorded
from console.api.route import Call, Instant, Moment, Name, Reply, Route
from console.control.results import DEFAULT_SINCE as RESULTS_SINCE
from console.control.results import DEFAULT_WITHIN, Comparison, read_results_question, results
from console.control.statistics import BY, DEFAULT_SINCE, read_question, statistics
from store.read_models.counts import Count

MOST_NUMBERS = 20_000
"""Of decisions, and of deliveries: some 2 MB together."""

_WRITTEN = "a time or a day, in the project's zone where it has no offset, or a span before now such as 12h"


class StatisticsAsked(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of statistics."""

    distribution: Annotated[Name, Meta(description="Only this distribution.")] | None = None
    send: Annotated[Name, Meta(description="Only this manual send.")] | None = None
    since: Annotated[Moment, Meta(description=f"Events from then on: {_WRITTEN}.")] = DEFAULT_SINCE
    until: Annotated[Moment, Meta(description=f"Events before it, else before now: {_WRITTEN}.")] | None = None
    by: (
        Annotated[
            str,
            Meta(
                max_length=200,
                description=f"Kept apart by, beside the outcome; of {', '.join(BY)}, one or more with commas between.",
                examples=["hour,reason"],
            ),
        ]
        | None
    ) = None


class Number(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Records of which the same is true. What they are not kept apart by is left out; empty: they do not have it."""

    at: Annotated[datetime, Meta(tz=True, description="The begin of the minute, hour or day.")] | None = None
    distribution: str | None = None
    send: str | None = None
    outcome: str
    reason: str | None = None
    channel: str | None = None
    arm: str | None = None
    records: int


class StatisticsFound(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers above 0 in their order, of the whole minutes from `since` on and before `until`.

    Hours and days begin as in `zone`. `behind` is what is not among them yet; null where Kafka, which knows, does not
    answer.
    """

    since: Instant
    until: Instant
    zone: str
    decisions: list[Number]
    deliveries: list[Number]
    behind: NotRecorded | None


async def get_statistics(call: Call[Any, StatisticsAsked, None]) -> Reply:
    """The numbers, as `tidings stats` shows them."""
    given = msgspec.structs.asdict(call.query)
    by = [one.strip() for one in (call.query.by or "").split(",")]
    question = read_question(await call.project(), given | {"by": [one for one in by if one]}, call.now)
    found = await statistics(call.pool, call.wiring.extents, question, MOST_NUMBERS)
    reply = StatisticsFound(
        since=question.chosen.since,
        until=question.chosen.until or call.now,
        zone=question.zone,
        decisions=_numbers(found.decisions),
        deliveries=_numbers(found.deliveries),
        behind=not_recorded(found.behind),
    )
    return Reply(reply)


class ResultsAsked(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of results."""

    distribution: Annotated[Name, Meta(description="Only this distribution, and its lift.")] | None = None
    since: Annotated[Moment, Meta(description=f"From then on: {_WRITTEN}.")] = RESULTS_SINCE
    until: Annotated[Moment, Meta(description=f"Before it, else before now: {_WRITTEN}.")] | None = None
    within: Annotated[
        str,
        Meta(max_length=20, description="Who buys within this time of the decision has converted.", examples=["7d"]),
    ] = DEFAULT_WITHIN


class RedeemedCodes(msgspec.Struct, frozen=True, kw_only=True):
    """Redemptions of codes, by the delivery that gave the code.

    `distribution` is null where none is known that did. `taken_back` are among `redemptions`; `revenue`, in minor
    units of the currency, is that of the others' orders.
    """

    distribution: str | None
    arm: str | None
    currency: str | None
    redemptions: int
    taken_back: int
    customers: int
    revenue: int


class ComparedGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Customers, and those who converted."""

    customers: int
    converted: int


class MeasuredLift(msgspec.Struct, frozen=True, kw_only=True):
    """A difference of shares (0.02 is two percentage points) with its 95 % interval by Newcombe.

    `relative` is its share of the control group's; null where nobody of that converted.
    """

    difference: float
    low: float
    high: float
    relative: float | None


class ComparedArm(msgspec.Struct, frozen=True, kw_only=True):
    """Those who were not held out, or one arm of them, beside those who were; no lift where a group is empty."""

    arm: str | None
    treated: ComparedGroup
    control: ComparedGroup
    lift: MeasuredLift | None


class ResultsFound(msgspec.Struct, frozen=True, kw_only=True):
    """Redemptions, and of a distribution with a holdout the lift; `open` customers have not had so long yet."""

    since: Instant
    until: Instant
    within: str
    redeemed: list[RedeemedCodes]
    compared: list[ComparedArm]
    open: int
    behind: NotRecorded | None


async def get_results(call: Call[Any, ResultsAsked, None]) -> Reply:
    """The results, as `tidings results` shows them."""
    question = read_results_question(await call.project(), msgspec.structs.asdict(call.query), call.now)
    found = await results(call.pool, call.wiring.extents, question, call.now)
    reply = ResultsFound(
        since=question.chosen.since,
        until=question.chosen.until,
        within=call.query.within,
        redeemed=[RedeemedCodes(**one._asdict()) for one in found.redeemed],
        compared=[_compared(one) for one in found.compared],
        open=found.open,
        behind=not_recorded(found.behind),
    )
    return Reply(reply)


def _compared(one: Comparison) -> ComparedArm:
    measured, found = None, one.lift
    if found is not None:
        measured = MeasuredLift(difference=found.difference, low=found.low, high=found.high, relative=found.relative)
    treated, control = (ComparedGroup(**group._asdict()) for group in (one.treated, one.control))
    return ComparedArm(arm=one.arm, treated=treated, control=control, lift=measured)


def _numbers(counted: Iterable[Count]) -> list[Number]:
    return [Number(**one._asdict()) for one in counted]


ROUTES: tuple[Route, ...] = (
    Route(
        "GET", "/statistics", "statistics:read", "Count how decisions and deliveries came out, by the time of events",
        get_statistics, {200: StatisticsFound}, query_type=StatisticsAsked,
    ),
    Route(
        "GET", "/statistics/results", "statistics:read", "Show what was redeemed of codes that were sent, and the lift",
        get_results, {200: ResultsFound}, query_type=ResultsAsked,
    ),
)  # fmt: skip
