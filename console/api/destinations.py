"""Destinations that little or nothing is sent to, over HTTP: listed, and sent to again."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from console.api.pages import page_of
from console.api.problems import in_body, refused
from console.api.route import Call, Cursor, Instant, Name, Paged, Reply, Route, Writing
from console.control import destinations as control
from console.control.destinations import HeldDestination
from schemas.closed import HoldKind
from schemas.errors import BadQuestion
from store.sending.ledger import Ledger

DestinationName = Annotated[Name, Meta(description="CHANNEL/NAME: an account or an endpoint's host, as in email/main.")]


class DestinationWaitedFor(msgspec.Struct, frozen=True, kw_only=True):
    """A destination that is paused, failing or throttled: why, since when, and how much waits since when.

    `kind` is the reason of a pause in one word.
    """

    destination: str
    state: str
    kind: HoldKind | None
    reason: str
    paused_at: Instant | None
    waiting: int
    oldest: Instant | None


class DestinationPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some destinations, in the order of their names."""

    items: list[DestinationWaitedFor]
    next: Cursor | None = None


class PausedDestination(msgspec.Struct, frozen=True, kw_only=True):
    """The destination to send to again."""

    destination: DestinationName


class ResumedDestination(msgspec.Struct, frozen=True, kw_only=True):
    """A destination that is sent to again."""

    destination: str
    dry_run: bool


async def list_destinations(call: Call[Any, Paged, None]) -> Reply:
    """A page of them."""
    found = await control.held(Ledger(call.pool), call.project_id)
    rows, following = page_of(found, call.query.cursor, call.query.limit, _place, tuple[str, str])
    return Reply(DestinationPage(items=list(map(_shown, rows)), next=following))


async def resume_destination(call: Call[Any, Writing, PausedDestination]) -> Reply:
    """Send to one again."""
    named, dry_run = call.body.destination, call.query.dry_run
    try:
        await control.resume_destination(Ledger(call.pool), call.project_id, named, actor=call.actor, dry_run=dry_run)
    except BadQuestion as error:
        raise refused("invalid", "", in_body("/destination", error.message)) from None
    return Reply(ResumedDestination(destination=named, dry_run=dry_run))


def _place(one: HeldDestination) -> tuple[str, str]:
    return _name(one), one.state


def _name(one: HeldDestination) -> str:
    return f"{one.channel}/{one.destination}"


def _shown(one: HeldDestination) -> DestinationWaitedFor:
    fields = asdict(one)
    del fields["channel"]
    return DestinationWaitedFor(**{**fields, "destination": _name(one)})


ROUTES: tuple[Route, ...] = (
    Route(
        "GET", "/destinations", "destinations:read", "List what little or nothing is sent to, why, and what waits",
        list_destinations, {200: DestinationPage}, query_type=Paged,
    ),
    Route(
        "POST", "/destinations/resume", "destinations:operate", "Send to a paused destination again, the oldest first",
        resume_destination, {200: ResumedDestination}, query_type=Writing, body=PausedDestination,
        body_example={"destination": "email/main"},
    ),
)  # fmt: skip
