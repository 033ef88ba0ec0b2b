"""Sends that wait for a moment, over HTTP: counted, listed, cancelled."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from console.api.pages import next_cursor, read_cursor
from console.api.route import Call, Instant, Name, Paged, Reply, Route, Writing
from console.control import holds
from console.control.holds import HoldSummary
from schemas.closed import Reason
from store.chosen_holds import FIRST_DUE, ChosenHolds, DuePlace, HoldFilter

OfDistribution = Annotated[Name | None, Meta(description="Of this distribution.")]
ForCustomer = Annotated[Name | None, Meta(description="For this customer.")]
ByReason = Annotated[Reason | None, Meta(description="Those that wait for this reason.")]


class ChosenOnes(msgspec.Struct, frozen=True, kw_only=True):
    """A choice of what waits: all that every given field fits."""

    distribution: OfDistribution = None
    customer: ForCustomer = None
    reason: ByReason = None


class HoldListing(Paged, frozen=True, kw_only=True):
    """The parameters of a list of what waits."""

    distribution: OfDistribution = None
    customer: ForCustomer = None
    reason: ByReason = None


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """One send that waits; without `until_at` until its distribution goes on. One with `canceled_by` ends now."""

    hold_id: str
    round: int
    distribution_id: str
    customer_id: str
    reason: str
    until_at: Instant | None
    held_at: Instant
    canceled_by: str | None


class HoldPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some sends that wait, those that are due first in front."""

    items: list[Hold]
    next: str | None = None


class CountedHolds(msgspec.Struct, frozen=True, kw_only=True):
    """Sends of a distribution that wait for the same reason; those `due` or `canceled` are being released."""

    distribution_id: str
    reason: str
    waiting: int
    due: int
    canceled: int
    first_until: Instant | None
    last_until: Instant | None


class HoldGroups(msgspec.Struct, frozen=True, kw_only=True):
    """The most frequent groups, at most 30."""

    groups: list[CountedHolds]


class CanceledHolds(msgspec.Struct, frozen=True, kw_only=True):
    """The fate of those chosen: how many are `canceled` by this, were before, or are due by now and go on."""

    chosen: int
    canceled: int
    canceled_before: int
    due: int
    dry_run: bool


async def list_holds(call: Call[Any, HoldListing, None]) -> Reply:
    """A page of them."""
    after, limit = read_cursor(call.query.cursor, DuePlace) or FIRST_DUE, call.query.limit
    found = await holds.first_due(ChosenHolds(call.pool), _filter(call, call.query), limit + 1, after)
    rows, following = next_cursor(found, limit, _place)
    return Reply(HoldPage(items=[Hold(**asdict(one)) for one in rows], next=following))


async def count_holds(call: Call[Any, ChosenOnes, None]) -> Reply:
    """Numbers by distribution and reason."""
    found = await holds.groups(ChosenHolds(call.pool), _filter(call, call.query))
    return Reply(HoldGroups(groups=[CountedHolds(**asdict(one)) for one in found]))


async def cancel_holds(call: Call[Any, Writing, ChosenOnes]) -> Reply:
    """End what waits."""
    store, chosen, dry_run = ChosenHolds(call.pool), _filter(call, call.body), call.query.dry_run
    before = await holds.foresee(store, chosen)
    done = before.within if dry_run else await holds.cancel(store, chosen, actor=call.actor)
    due = max(0, before.chosen - before.canceled - done)
    canceled = CanceledHolds(
        chosen=before.chosen, canceled=done, canceled_before=before.canceled, due=due, dry_run=dry_run
    )
    return Reply(canceled)


def _filter(call: Call[Any, Any, Any], asked: ChosenOnes | HoldListing) -> HoldFilter:
    return holds.read_filter(call.project_id, asked.distribution, asked.customer, asked.reason)


def _place(one: HoldSummary) -> DuePlace:
    return DuePlace(one.until_at, one.hold_id, one.round)


ROUTES: tuple[Route, ...] = (
    Route(
        "GET", "/holds", "holds:read", "List what waits, the first due first", list_holds, {200: HoldPage},
        query_type=HoldListing,
    ),
    Route(
        "GET", "/holds/groups", "holds:read", "Count what waits by distribution and reason", count_holds,
        {200: HoldGroups}, query_type=ChosenOnes,
    ),
    Route(
        "POST", "/holds/cancel", "holds:operate", "End what waits of a distribution or for a customer", cancel_holds,
        {200: CanceledHolds}, query_type=Writing, body=ChosenOnes, body_example={"distribution": "winback"},
    ),
)  # fmt: skip
