"""Statistics over HTTP: how many decisions and deliveries came out how, from counts that recorders keep."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from agents.broker.extents import Extents
from console.api.recorded import NotRecorded, not_recorded
from console.api.route import Call, Instant, Moment, Name, Reply, Route
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
    found = await statistics(call.pool, Extents(call.wiring), question, MOST_NUMBERS)
    reply = StatisticsFound(
        since=question.chosen.since,
        until=question.chosen.until or call.now,
        zone=question.zone,
        decisions=_numbers(found.decisions),
        deliveries=_numbers(found.deliveries),
        behind=not_recorded(found.behind),
    )
    return Reply(reply)


def _numbers(counted: Iterable[Count]) -> list[Number]:
    return [Number(**one._asdict()) for one in counted]


ROUTES: tuple[Route, ...] = (
    Route(
        "GET", "/statistics", "statistics:read", "Count how decisions and deliveries came out, by the time of events",
        get_statistics, {200: StatisticsFound}, query_type=StatisticsAsked,
    ),
)  # fmt: skip
