"""Decisions over HTTP: what was decided about whom and why, and what became of it, from what recorders keep."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from console.api.pages import read_cursor
from console.api.recorded import NotRecorded
from console.api.route import Call, Instant, Moment, Name, Paged, Reply, Route
from console.control import explain
from console.control.explain import Asking, DeliveryStory, RecordedEnd
from console.control.moments import moment_or_ago
from schemas.closed import Outcome, Reason
from schemas.decision import Decision
from store.read_models.search import Place

_WRITTEN = "a time or a day, in UTC where it has no offset, or a span before now such as 12h"


class DecisionsAsked(Paged, frozen=True, kw_only=True):
    """The parameters of decisions: one at least of customer, delivery, event, code and distribution."""

    customer: Annotated[Name, Meta(description="About this customer.")] | None = None
    delivery: Annotated[Name, Meta(description="That led to this delivery.")] | None = None
    event: Annotated[Name, Meta(description="That this event caused.")] | None = None
    code: Annotated[Name, Meta(description="By which this code went out.")] | None = None
    distribution: Annotated[Name, Meta(description="Of this distribution.")] | None = None
    since: Annotated[Moment, Meta(description=f"About events from then on: {_WRITTEN}.")] | None = None
    until: Annotated[Moment, Meta(description=f"About events before it: {_WRITTEN}.")] | None = None
    outcome: Outcome | None = None
    reason: Reason | None = None


class DecisionPage(msgspec.Struct, frozen=True, kw_only=True):
    """Decisions, the newest event first, and the deliveries they led to: `ends` of those that are kept no longer.

    `behind` is what is not among them yet, of the customer where one is asked for; null where Kafka, which knows, does
    not answer.
    """

    items: list[Decision]
    deliveries: list[DeliveryStory]
    ends: list[RecordedEnd]
    behind: NotRecorded | None
    next: str | None = None


async def list_decisions(call: Call[Any, DecisionsAsked, None]) -> Reply:
    """A page of them, as `tidings why` finds them where it reads no topic."""
    asked = call.query
    found = await explain.story(call.pool, call.wiring, call.project_id, _asking(asked, call.now), call.now)
    reading = found.reading
    page = DecisionPage(
        items=list(reversed(found.decisions)),
        deliveries=list(found.deliveries),
        ends=list(found.ends),
        behind=None if reading.behind is None else NotRecorded(records=reading.behind, since=reading.behind_since),
        next=reading.older,
    )
    return Reply(page)


def _asking(asked: DecisionsAsked, now: datetime) -> Asking:
    after = read_cursor(asked.cursor, tuple[Instant, str, str])
    return Asking(
        who=asked.customer,
        delivery=asked.delivery,
        event=asked.event,
        code=asked.code,
        distribution=asked.distribution,
        since=moment_or_ago("since", asked.since, now) if asked.since else None,
        until=moment_or_ago("until", asked.until, now) if asked.until else None,
        outcome=asked.outcome,
        reason=asked.reason,
        after=None if after is None else Place(*after),
        limit=asked.limit,
        only_recorded=True,
    )


ROUTES: tuple[Route, ...] = (
    Route(
        "GET", "/decisions", "decisions:read", "Search what was decided, and why", list_decisions, {200: DecisionPage},
        query_type=DecisionsAsked,
    ),
)  # fmt: skip
