"""Deliveries: list, resend, cancel, hurry; by ids or by a filter."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import msgspec
import typer

from console.cli.applying import Asked, DryRun, Yes
from console.cli.context import database, load_wiring
from console.cli.terminal import AsJson, say, show_json, show_rows
from console.control import deliveries as work
from store.sending.deliveries import Action, Deliveries, DeliveryFilter

commands = typer.Typer()
deliveries_app = typer.Typer(no_args_is_help=True, help="Deliveries by filter: look, send again, cancel, hurry.")
commands.add_typer(deliveries_app, name="deliveries")

_DONE: dict[Action, str] = {"resend": "sent again", "cancel": "cancelled", "hurry": "hurried"}

Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Delivery ids; else those the filter fits.")]
Distribution = Annotated[str | None, typer.Option(help="Of this distribution.")]
ByChannel = Annotated[str | None, typer.Option("--channel", help="webhook or email.")]
Destination = Annotated[str | None, typer.Option(help="To this account, or this endpoint's host.")]
Customer = Annotated[str | None, typer.Option(help="To this customer.")]
ByReason = Annotated[str | None, typer.Option("--reason", help="As listed; none: the provider refused.")]
Detail = Annotated[str | None, typer.Option(help="A part of the last answer, as in 'HTTP 501'.")]
Since = Annotated[str | None, typer.Option(help="Taken in since a time, or a span before now, as in 12h.")]
Until = Annotated[str | None, typer.Option(help="Taken in before a time, or a span before now.")]
State = Annotated[str | None, typer.Option(help="waiting, sent, recovered or failed.")]
Limit = Annotated[int, typer.Option(min=1, help="The newest so many.")]


@asynccontextmanager
async def _opened(given: dict[str, Any]) -> AsyncIterator[tuple[Deliveries, DeliveryFilter]]:
    wiring = load_wiring("postgres")
    async with database(wiring) as pool:
        found = Deliveries(pool)
        yield found, work.read_filter(wiring.project, given, await found.now())


@deliveries_app.command("list")
def list_command(
    ids: Ids = None, distribution: Distribution = None, channel: ByChannel = None, destination: Destination = None,
    customer: Customer = None, state: State = None, reason: ByReason = None, detail: Detail = None,
    since: Since = None, until: Until = None, limit: Limit = 50,
    counts: Annotated[bool, typer.Option("--counts", help="How many by what became of them, instead of each.")] = False,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """The newest deliveries that fit, or how many by what became of them."""
    given = dict(locals())

    async def read() -> list[Any]:
        async with _opened(given) as (found, chosen):
            return await (found.groups(chosen, limit) if counts else found.newest(chosen, limit))

    rows = asyncio.run(read())
    if counts:
        _show_groups(rows, as_json=as_json)
        return
    columns = ("delivery", "distribution", "customer", "channel", "destination", "state", "reason", "detail",
               "attempts", "due", "taken in", "ended")  # fmt: skip
    show_rows(columns, (tuple(row.values()) for row in rows), as_json=as_json)


@deliveries_app.command("resend")
def resend_command(
    ids: Ids = None, distribution: Distribution = None, channel: ByChannel = None, destination: Destination = None,
    customer: Customer = None, reason: ByReason = None, detail: Detail = None, since: Since = None,
    until: Until = None, yes: Yes = False, dry_run: DryRun = False, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Send failed deliveries again, under the same ids: a receiver that had one knows it by its webhook-id."""
    asyncio.run(_act("resend", {**locals(), "state": "failed"}, Asked(yes, dry_run, as_json)))


@deliveries_app.command("cancel")
def cancel_command(
    ids: Ids = None, distribution: Distribution = None, channel: ByChannel = None, destination: Destination = None,
    customer: Customer = None, reason: ByReason = None, detail: Detail = None, since: Since = None,
    until: Until = None, yes: Yes = False, dry_run: DryRun = False, as_json: AsJson = False,
) -> None:  # fmt: skip
    """End waiting deliveries; those that are being sent this moment go on."""
    asyncio.run(_act("cancel", {**locals(), "state": "waiting"}, Asked(yes, dry_run, as_json)))


@deliveries_app.command("hurry")
def hurry_command(
    ids: Ids = None, distribution: Distribution = None, channel: ByChannel = None, destination: Destination = None,
    customer: Customer = None, reason: ByReason = None, detail: Detail = None, since: Since = None,
    until: Until = None, yes: Yes = False, dry_run: DryRun = False, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Try deliveries now that wait for their next attempt or a slow destination. What is paused goes on waiting."""
    asyncio.run(_act("hurry", {**locals(), "state": "waiting"}, Asked(yes, dry_run, as_json)))


async def _act(action: Action, given: dict[str, Any], asked: Asked) -> None:
    async with _opened(given) as (found, chosen):
        foreseen = await work.foresee(found, action, chosen)
        _show(foreseen, asked)
        if asked.dry_run or not foreseen.standing.within:
            return
        if not asked.yes:
            typer.confirm(f"{action} {foreseen.standing.within} deliveries?", abort=True, err=True)
        done = await work.carry_out(found, action, chosen, actor=getpass.getuser())
    show_json({"action": action, "done": done}) if asked.as_json else say(f"{_DONE[action]}: {done}")


def _show(foreseen: work.Foreseen, asked: Asked) -> None:
    if asked.as_json:
        show_json({"action": foreseen.action, "standing": msgspec.to_builtins(foreseen.standing)})
    _show_groups(foreseen.groups, as_json=asked.as_json)
    if asked.as_json:
        return
    standing = foreseen.standing
    left = {
        "being sent this moment": standing.under_way,
        "past their expiry": standing.expired,
        "erased": standing.erased,
    }
    but = "".join(f"; {count} {why}" for why, count in left.items() if count)
    say(f"{standing.within} of {standing.chosen} can be {_DONE[foreseen.action]}{but}")


def _show_groups(rows: list[Any], *, as_json: bool) -> None:
    columns = ("channel", "destination", "state", "reason", "detail", "deliveries", "oldest")
    show_rows(columns, (tuple(row.values()) for row in rows), as_json=as_json)
