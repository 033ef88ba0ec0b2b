"""Deliveries: list, resend, cancel, hurry; by ids or by a filter."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import astuple
from functools import partial
from typing import Annotated, Any

import msgspec
import typer
from rich.markup import escape

from console.cli.applying import Asked, DryRun, Yes
from console.cli.context import Session, load_wiring, session
from console.cli.terminal import AsJson, show_json, show_rows, show_text
from console.control import deliveries, resend
from schemas.closed import Reason
from schemas.record import JsonObject
from store.sending.deliveries import Action, Deliveries, DeliveryFilter

commands = typer.Typer()
deliveries_app = typer.Typer(no_args_is_help=True, help="Deliveries by filter: look, send again, cancel, hurry.")
commands.add_typer(deliveries_app, name="deliveries")

_DONE: dict[Action, str] = {"resend": "sent again", "cancel": "cancelled", "hurry": "hurried"}

_HELD: dict[Reason, str] = {
    "consent": "without consent by now",
    "suppressed": "suppressed",
    "duplicate": "whose customer was sent a later one",
}

Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Delivery ids; else those the filter fits.")]
Distribution = Annotated[str | None, typer.Option(help="Of this distribution.")]
ByChannel = Annotated[str | None, typer.Option("--channel", help="webhook or email.")]
Destination = Annotated[str | None, typer.Option(help="To this account, or this endpoint's host.")]
Customer = Annotated[str | None, typer.Option(help="To this customer.")]
ByReason = Annotated[str | None, typer.Option("--reason", help="As listed; none: the provider refused.")]
Detail = Annotated[str | None, typer.Option(help="A part of the last answer, as in 'HTTP 501'.")]
Since = Annotated[str | None, typer.Option(help="Taken in since a time, or a span before now, as in 12h.")]
Until = Annotated[str | None, typer.Option(help="Taken in before a time, or a span before now.")]
ByStatus = Annotated[
    str | None,
    typer.Option("--status", help=f"{', '.join(deliveries.STATUSES[:-1])} or {deliveries.STATUSES[-1]}."),
]
State = Annotated[str | None, typer.Option(help="waiting, sent, recovered or failed.")]
Limit = Annotated[int, typer.Option(min=1, help="The newest so many.")]
PossiblyAccepted = Annotated[
    bool,
    typer.Option("--possibly-accepted", help="Mail as well that may have arrived: taken, and no answer came."),
]


@asynccontextmanager
async def _chosen(given: dict[str, Any]) -> AsyncIterator[tuple[Session, Deliveries, DeliveryFilter]]:
    async with session("postgres") as opened:
        store = Deliveries(opened.pool)
        yield opened, store, deliveries.read_filter(opened.project_id, given, await store.now())


@deliveries_app.command("list")
def list_command(
    ids: Ids = None, distribution: Distribution = None, channel: ByChannel = None, destination: Destination = None,
    customer: Customer = None, status: ByStatus = None, state: State = None, reason: ByReason = None,
    detail: Detail = None, since: Since = None, until: Until = None, limit: Limit = 50,
    counts: Annotated[bool, typer.Option("--counts", help="How many by what became of them, instead of each.")] = False,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """The newest deliveries that fit, or how many by what became of them."""
    given = dict(locals())

    asyncio.run(_list(given, limit, counts=counts, as_json=as_json))


async def _list(given: dict[str, Any], limit: int, *, counts: bool, as_json: bool) -> None:
    async with _chosen(given) as (_, store, chosen):
        if counts:
            _show_groups(await deliveries.groups(store, chosen, limit), as_json=as_json)
            return
        found = await deliveries.newest(store, chosen, limit)
    columns = ("delivery", "distribution", "customer", "channel", "destination", "state", "status", "reason",
               "detail", "attempts", "due", "taken in", "ended")  # fmt: skip
    show_rows(columns, map(astuple, found), as_json=as_json)


@deliveries_app.command("resend")
def resend_command(
    ids: Ids = None, distribution: Distribution = None, channel: ByChannel = None, destination: Destination = None,
    customer: Customer = None, status: ByStatus = None, reason: ByReason = None, detail: Detail = None,
    since: Since = None, until: Until = None, possibly_accepted: PossiblyAccepted = False, yes: Yes = False,
    dry_run: DryRun = False, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Send failed deliveries again, under the same ids: a receiver that had one knows it by its webhook-id.

    With --status bounced those that came back after they were sent, where their addresses are good again.

    Each is judged first: consent as it is now, suppression, and whether the customer got a later one. Mail that may
    have arrived already is left out, and counted.
    """
    asyncio.run(_resend(dict(locals()), Asked(yes, dry_run, as_json)))


@deliveries_app.command("cancel")
def cancel_command(
    ids: Ids = None, distribution: Distribution = None, channel: ByChannel = None, destination: Destination = None,
    customer: Customer = None, status: ByStatus = None, reason: ByReason = None, detail: Detail = None,
    since: Since = None, until: Until = None, yes: Yes = False, dry_run: DryRun = False, as_json: AsJson = False,
) -> None:  # fmt: skip
    """End waiting deliveries; those that are being sent this moment go on."""
    asyncio.run(_act("cancel", dict(locals()), Asked(yes, dry_run, as_json)))


@deliveries_app.command("hurry")
def hurry_command(
    ids: Ids = None, distribution: Distribution = None, channel: ByChannel = None, destination: Destination = None,
    customer: Customer = None, status: ByStatus = None, reason: ByReason = None, detail: Detail = None,
    since: Since = None, until: Until = None, yes: Yes = False, dry_run: DryRun = False, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Try deliveries now that wait for their next attempt or a slow destination. What is paused goes on waiting."""
    asyncio.run(_act("hurry", dict(locals()), Asked(yes, dry_run, as_json)))


async def _act(action: Action, given: dict[str, Any], asked: Asked) -> None:
    async with _chosen(deliveries.given_for(action, given)) as (opened, store, chosen):
        foreseen = await deliveries.foresee(store, action, chosen)
        _show(foreseen, asked)
        if _is_wanted(action, foreseen.standing.within, asked):
            _show_done(action, await deliveries.carry_out(store, action, chosen, actor=opened.actor), asked)


async def _resend(given: dict[str, Any], asked: Asked) -> None:
    async with _chosen(deliveries.given_for("resend", given)) as (opened, store, chosen):
        foreseen = await deliveries.foresee(store, "resend", chosen)
        judged = await resend.resendable(
            store, chosen, partial(_profiles, opened.project_id), possibly_accepted=given["possibly_accepted"]
        )
        _show(foreseen, asked, judged, takes_all=given["possibly_accepted"])
        if _is_wanted("resend", len(judged.ids), asked):
            _show_done("resend", await resend.resend(store, chosen, judged.ids, actor=opened.actor), asked)


async def _profiles(project_id: str, customers: Collection[str]) -> Mapping[str, JsonObject]:
    from console.control.explain import stored_profiles  # with the client of Kafka

    return await asyncio.to_thread(stored_profiles, load_wiring("kafka"), project_id, customers)


def _is_wanted(action: Action, reached: int, asked: Asked) -> bool:
    if asked.dry_run or not reached:
        return False
    return asked.yes or typer.confirm(f"{action} {reached} deliveries?", abort=True, err=True)


def _show_done(action: Action, done: int, asked: Asked) -> None:
    show_json({"action": action, "done": done}) if asked.as_json else show_text(f"{_DONE[action]}: {done}")


def _show(
    foreseen: deliveries.Foreseen, asked: Asked, judged: resend.Resendable | None = None, *, takes_all: bool = False
) -> None:
    held = judged.held if judged else {}
    may_have_arrived = judged.possibly_accepted if judged else 0
    if asked.as_json:
        counted = {"held_by": held, "may_have_arrived": may_have_arrived} if judged else {}
        standing = msgspec.to_builtins(foreseen.standing)
        show_json({"action": foreseen.action, "standing": standing, "missed": foreseen.missed, **counted})
    _show_groups(foreseen.groups, as_json=asked.as_json)
    if asked.as_json:
        return
    standing = foreseen.standing
    left = {
        "being sent this moment": standing.under_way,
        "past their expiry": standing.expired,
        "erased": standing.erased,
        **{_HELD.get(reason, reason): count for reason, count in held.items()},
    }
    but = "".join(f"; {count} {why}" for why, count in left.items() if count)
    reached = len(judged.ids) if judged else standing.within
    show_text(f"{reached} of {standing.chosen} can be {_DONE[foreseen.action]}{but}")
    if may_have_arrived:
        said = f"{may_have_arrived} may have arrived already: their provider took them and did not answer"
        show_text(said if takes_all else f"{said}; left out, unless with --possibly-accepted")
    for identity, status in foreseen.missed.items():
        show_text(f"{escape(identity)}: {f'not chosen, it is {status}' if status else 'no delivery has this id'}")


def _show_groups(groups: Iterable[deliveries.DeliveryGroup], *, as_json: bool) -> None:
    columns = ("channel", "destination", "state", "reason", "detail", "deliveries", "oldest")
    show_rows(columns, map(astuple, groups), as_json=as_json)
