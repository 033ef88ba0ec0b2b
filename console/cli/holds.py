"""Sends that wait for a moment: list, cancel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import astuple
from typing import Annotated

import typer

from console.cli.applying import Asked, DryRun, Yes
from console.cli.context import Session, session
from console.cli.terminal import AsJson, show_json, show_rows, show_text
from console.control import holds
from store.chosen_holds import ChosenHolds, HoldFilter, HoldsStanding

commands = typer.Typer()
holds_app = typer.Typer(no_args_is_help=True, help="Sends that wait for a moment: look, cancel.")
commands.add_typer(holds_app, name="holds")

Distribution = Annotated[str | None, typer.Option(help="Of this distribution.")]
Customer = Annotated[str | None, typer.Option(help="For this customer.")]
ByReason = Annotated[str | None, typer.Option("--reason", help="Why they wait, as listed.")]
Limit = Annotated[int, typer.Option(min=0, help="The first so many; 0: the counts alone.")]
Given = tuple[str | None, str | None, str | None]
"""Distribution, customer and reason."""


@asynccontextmanager
async def _chosen(given: Given) -> AsyncIterator[tuple[Session, ChosenHolds, HoldFilter]]:
    async with session("postgres") as opened:
        yield opened, ChosenHolds(opened.pool), holds.read_filter(opened.project_id, *given)


@holds_app.command("list")
def list_command(
    distribution: Distribution = None, customer: Customer = None, reason: ByReason = None, limit: Limit = 20,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Sends that wait: how many of each distribution and reason, and those that are due first."""
    asyncio.run(_list((distribution, customer, reason), limit, as_json=as_json))


async def _list(given: Given, limit: int, *, as_json: bool) -> None:
    async with _chosen(given) as (_, store, chosen):
        counted = await holds.groups(store, chosen)
        found = await holds.first_due(store, chosen, limit) if limit else []
    columns = ("distribution", "reason", "waiting", "due", "canceled", "first until", "last until")
    show_rows(columns, map(astuple, counted), as_json=as_json)
    if found:
        one = ("hold", "round", "distribution", "customer", "reason", "until", "held at", "canceled by")
        show_rows(one, map(astuple, found), as_json=as_json)


@holds_app.command("cancel")
def cancel_command(
    distribution: Distribution = None, customer: Customer = None, reason: ByReason = None, yes: Yes = False,
    dry_run: DryRun = False, as_json: AsJson = False,
) -> None:  # fmt: skip
    """End what waits of a distribution or for a customer; each is decided as canceled, with your name.

    What is due by now goes on: pause or stop its distribution to keep that back as well.
    """
    asyncio.run(_cancel((distribution, customer, reason), Asked(yes, dry_run, as_json)))


async def _cancel(given: Given, asked: Asked) -> None:
    async with _chosen(given) as (opened, store, chosen):
        standing = await holds.foresee(store, chosen)
        _show(standing, asked)
        if asked.dry_run or not standing.within:
            return
        if not asked.yes:
            typer.confirm(f"cancel {standing.within} sends?", abort=True, err=True)
        done = await holds.cancel(store, chosen, actor=opened.actor)
        show_json({"done": done}) if asked.as_json else show_text(f"cancelled: {done}")


def _show(standing: HoldsStanding, asked: Asked) -> None:
    if asked.as_json:
        show_json(standing)
        return
    due = standing.chosen - standing.within - standing.canceled
    left = {"due by now": due, "cancelled already": standing.canceled}
    but = "".join(f"; {count} {why}" for why, count in left.items() if count)
    show_text(f"{standing.within} of {standing.chosen} can be cancelled{but}")
