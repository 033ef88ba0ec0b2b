"""Deliveries over HTTP: list, count, read; send again, cancel or hurry what a filter chooses, dry runs first."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from console.api.pages import next_cursor, read_cursor
from console.api.problems import in_body, refused
from console.api.route import ById, Call, Cursor, Instant, Moment, Name, Paged, Reply, Route, Writing
from console.control import deliveries, explain, resend
from console.control.deliveries import MOST_AT_ONCE, DeliveryGroup, DeliverySummary, Foreseen
from console.control.explain import DeliveryStory
from console.control.resend import Resendable
from schemas.closed import ChannelName, Reason
from schemas.errors import BadQuestion
from schemas.record import JsonObject
from store.sending.deliveries import Action, Deliveries, DeliveryFilter, Standing

_MOST_GROUPS = 100

State = Literal["waiting", "sent", "recovered", "failed"]
Status = Literal[
    "waiting", "held", "retried", "sent", "recovered", "failed", "delivered", "bounced", "complained", "suppressed",
    "expired", "canceled",
]  # fmt: skip
_WRITTEN = "a time or a day, in UTC where it has no offset, or a span before now such as 12h"
_Because = Annotated[
    Reason | Literal["none"],
    Meta(description="`none`: the product gave no reason, the provider's answer is the detail."),
]
_Part = Annotated[str, Meta(min_length=1, max_length=200, description="A part of the last answer, as in HTTP 501.")]
_Since = Annotated[Moment, Meta(description=f"Taken in from then on: {_WRITTEN}.")]
_Until = Annotated[Moment, Meta(description=f"Taken in before it: {_WRITTEN}.")]


class DeliveriesAsked(Paged, frozen=True, kw_only=True):
    """The parameters of deliveries: those that all given ones fit."""

    distribution: Name | None = None
    channel: ChannelName | None = None
    destination: Annotated[Name, Meta(description="An account, or the host of an endpoint.")] | None = None
    customer: Name | None = None
    state: State | None = None
    status: Status | None = None
    reason: _Because | None = None
    detail: _Part | None = None
    since: _Since | None = None
    until: _Until | None = None


class DeliveryChoice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A choice of deliveries by their ids, or by all that is given; something has to be."""

    ids: Annotated[list[Name], Meta(max_length=1000)] = []
    distribution: Name | None = None
    channel: ChannelName | None = None
    destination: Name | None = None
    customer: Name | None = None
    status: Status | None = None
    reason: _Because | None = None
    detail: _Part | None = None
    since: _Since | None = None
    until: _Until | None = None


class ResendChoice(DeliveryChoice, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A choice of failed deliveries, or with `status` bounced of those that came back.

    `possibly_accepted`: those that may have arrived as well, which may arrive twice.
    """

    possibly_accepted: bool = False


class DeliveryPage(msgspec.Struct, frozen=True, kw_only=True):
    """Deliveries, those that were taken in last first; without their content."""

    items: list[DeliverySummary]
    next: Cursor | None = None


class DeliveryGroups(msgspec.Struct, frozen=True, kw_only=True):
    """Deliveries counted by what became of them, the 100 most frequent."""

    groups: list[DeliveryGroup]


class DeliveriesChanged(msgspec.Struct, frozen=True, kw_only=True):
    """The reach of an action, counted before it, and to how many it was done.

    Fewer than `reached` where others were at them, or they went out meanwhile; `left` are those beyond what one request
    does: send it again, with a new Idempotency-Key. `missed` are ids that were named and not chosen, with their status,
    or null where no delivery has it. `held` are those that are not sent again, by why; `may_have_arrived` were taken by
    a provider that did not answer, and are left out unless asked for.
    """

    action: Action
    reached: int
    done: int
    left: int
    standing: Standing
    groups: list[DeliveryGroup]
    missed: dict[str, str | None]
    held: dict[Reason, int]
    may_have_arrived: int
    dry_run: bool


async def list_deliveries(call: Call[Any, DeliveriesAsked, None]) -> Reply:
    """A page of them."""
    after = read_cursor(call.query.cursor, tuple[Instant, str])
    store, limit = Deliveries(call.pool), call.query.limit
    chosen = deliveries.read_filter(call.project_id, msgspec.structs.asdict(call.query), await store.now())
    found = await deliveries.newest(store, chosen, limit + 1, after)
    rows, following = next_cursor(found, limit, lambda one: (one.created_at, one.delivery_id))
    return Reply(DeliveryPage(items=list(rows), next=following))


async def count_deliveries(call: Call[Any, DeliveriesAsked, None]) -> Reply:
    """Counts of them by what became of them."""
    store = Deliveries(call.pool)
    chosen = deliveries.read_filter(call.project_id, msgspec.structs.asdict(call.query), await store.now())
    return Reply(DeliveryGroups(groups=list(await deliveries.groups(store, chosen, _MOST_GROUPS))))


async def get_delivery(call: Call[ById, Any, None]) -> Reply:
    """One of them with its attempts, what people did to it, and what its provider reported."""
    return Reply(await explain.delivery(call.pool, call.project_id, call.path.id))


async def change_deliveries(action: Action, call: Call[Any, Writing, DeliveryChoice]) -> Reply:
    """Cancel, or hurry."""
    store = Deliveries(call.pool)
    with _in_body():
        chosen = await _chosen(action, call, store)
        foreseen = await deliveries.foresee(store, action, chosen)
    done = 0
    if not call.query.dry_run:
        done = await deliveries.carry_out(store, action, chosen, actor=call.actor, most=MOST_AT_ONCE)
    return Reply(_changed(foreseen, foreseen.standing.within, done, dry_run=call.query.dry_run))


async def resend_deliveries(call: Call[Any, Writing, ResendChoice]) -> Reply:
    """Send failed ones again, each judged once more before."""
    store = Deliveries(call.pool)
    with _in_body():
        chosen = await _chosen("resend", call, store)
        foreseen = await deliveries.foresee(store, "resend", chosen)
    profiles, takes_all = partial(_profiles, call), call.body.possibly_accepted
    judged = await resend.resendable(store, chosen, profiles, possibly_accepted=takes_all)
    done = 0
    if not call.query.dry_run:
        done = await resend.resend(store, chosen, judged.ids[:MOST_AT_ONCE], actor=call.actor)
    return Reply(_changed(foreseen, len(judged.ids), done, judged, dry_run=call.query.dry_run))


async def _chosen(action: Action, call: Call[Any, Any, Any], store: Deliveries) -> DeliveryFilter:
    given = deliveries.given_for(action, msgspec.structs.asdict(call.body))
    return deliveries.read_filter(call.project_id, given, await store.now())


async def _profiles(call: Call[Any, Any, Any], customers: Collection[str]) -> Mapping[str, JsonObject]:
    return await asyncio.to_thread(explain.stored_profiles, call.wiring, call.project_id, customers)


@contextmanager
def _in_body() -> Iterator[None]:
    """The problems of a choice as those of the body that it is in."""
    try:
        yield
    except BadQuestion as error:
        at = f"/{error.option}" if error.option else ""
        raise refused("invalid", str(error), in_body(at, error.message)) from None


def _changed(
    foreseen: Foreseen, reached: int, done: int, judged: Resendable | None = None, *, dry_run: bool
) -> DeliveriesChanged:
    return DeliveriesChanged(
        action=foreseen.action,
        reached=reached,
        done=done,
        left=0 if dry_run else max(0, reached - MOST_AT_ONCE),
        standing=foreseen.standing,
        groups=list(foreseen.groups),
        missed=dict(foreseen.missed),
        held=dict(judged.held) if judged else {},
        may_have_arrived=judged.possibly_accepted if judged else 0,
        dry_run=dry_run,
    )


_EXAMPLE: JsonObject = {"channel": "webhook", "destination": "shop.example.com", "since": "12h"}

ROUTES: tuple[Route, ...] = (
    Route(
        "GET", "/deliveries", "deliveries:read", "List deliveries, the newest first", list_deliveries,
        {200: DeliveryPage}, query_type=DeliveriesAsked,
    ),
    Route(
        "GET", "/deliveries/counts", "deliveries:read", "Count deliveries by what became of them", count_deliveries,
        {200: DeliveryGroups}, query_type=DeliveriesAsked,
    ),
    Route(
        "POST", "/deliveries/resend", "deliveries:operate", "Send failed deliveries again, each judged once more",
        resend_deliveries, {200: DeliveriesChanged}, query_type=Writing, body=ResendChoice, body_example=_EXAMPLE,
    ),
    Route(
        "POST", "/deliveries/cancel", "deliveries:operate", "End waiting deliveries; what is being sent goes on",
        partial(change_deliveries, "cancel"), {200: DeliveriesChanged}, query_type=Writing, body=DeliveryChoice,
        body_example=_EXAMPLE,
    ),
    Route(
        "POST", "/deliveries/hurry", "deliveries:operate", "Try deliveries now that wait for their next attempt",
        partial(change_deliveries, "hurry"), {200: DeliveriesChanged}, query_type=Writing, body=DeliveryChoice,
        body_example=_EXAMPLE,
    ),
    Route(
        "GET", "/deliveries/{id}", "deliveries:read", "Read a delivery with its attempts", get_delivery,
        {200: DeliveryStory}, path_type=ById, path_example={"id": "dlv_0123456789abcdef"},
    ),
)  # fmt: skip
