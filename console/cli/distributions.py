"""Distributions: apply, list, show, pause, resume, stop, and the schema for editors."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from agents.clock import utc_now
from console.cli.applying import Asked, DryRun, Files, Yes, carry_out
from console.cli.context import database, load_wiring
from console.cli.terminal import AsJson, say, show_json, show_rows
from console.control import distributions as applying
from schemas.closed import DistributionStatus
from schemas.distribution import Distribution
from schemas.errors import TidingsError
from store.campaigns import Campaigns
from store.distributions import Control
from store.templates import NamedTemplates
from streams.values.wording import unknown

commands = typer.Typer()
rules_app = typer.Typer(no_args_is_help=True, help="The distributions that are there.")
commands.add_typer(rules_app, name="distributions")


@commands.command("apply")
def apply_command(files: Files, yes: Yes = False, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Check distributions, show what would change, and make it live."""
    asyncio.run(_apply(files, Asked(yes, dry_run, as_json)))


async def _apply(files: list[Path], asked: Asked) -> None:
    wiring = load_wiring("postgres") if asked.dry_run else load_wiring()
    async with database(wiring) as pool:
        control = Control(pool)
        plan = await applying.plan(files, wiring, control, Campaigns(pool), NamedTemplates(pool))
        await carry_out(plan, partial(applying.save, wiring=wiring, control=control), asked)


@rules_app.command("list")
def list_command(as_json: AsJson = False) -> None:
    """Every distribution with its newest version."""
    found = asyncio.run(current_distributions())
    rows = [(d.id, d.version, d.status, d.trigger.event, ", ".join(c.channel for c in d.channels)) for d in found]
    show_rows(("distribution", "version", "status", "trigger", "channels"), rows, as_json=as_json)


async def current_distributions() -> list[Distribution]:
    wiring = load_wiring("postgres")
    async with database(wiring) as pool:
        return list((await Control(pool).current(wiring.project)).values())


@rules_app.command("show")
def show_command(distribution: str) -> None:
    """One distribution, as the matchers hold it."""
    found = [one for one in asyncio.run(current_distributions()) if one.id == distribution]
    if not found:
        raise TidingsError(f"there is no distribution {distribution}")
    show_json(found[0])


@rules_app.command("history")
def history_command(distribution: str, as_json: AsJson = False) -> None:
    """Who applied which version and when."""

    async def read() -> list[Any]:
        wiring = load_wiring("postgres")
        async with database(wiring) as pool:
            return await Control(pool).history(wiring.project, distribution)

    rows = [(row["version"], row["applied_by"], row["applied_at"]) for row in asyncio.run(read())]
    show_rows(("version", "applied by", "applied at"), rows, as_json=as_json)


def _status_command(name: str, status: DistributionStatus, help_text: str) -> None:
    @rules_app.command(name, help=help_text)
    def change(distribution: str) -> None:
        after = asyncio.run(applying.set_status(load_wiring(), distribution, status, utc_now()))
        say(f"{escape(after.id)} v{after.version} is {after.status}")


_status_command("pause", "PAUSED", "Send nothing for now; decisions say `paused`.")
_status_command("resume", "LIVE", "Send again.")
_status_command("stop", "STOPPED", "Do not react any more.")


@commands.command("schema")
def schema_command(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="distribution, campaign or segment.")] = "distribution",
) -> None:
    """The JSON Schema of a distribution, a campaign or a segment, for editors."""
    from streams.documents.json_schema import SCHEMAS

    if kind not in SCHEMAS:
        raise typer.BadParameter(unknown(kind, SCHEMAS))
    show_json(SCHEMAS[kind]())
