"""Explanations: simulate, why."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from agents.clock import utc_now
from agents.wiring import Wiring
from console.cli.context import SERVERS, Session, in_session, load_wiring, project_of, read_settings, wiring_of
from console.cli.explained import show_simulation, show_story, story_json
from console.cli.terminal import AsJson, must_exist, show_json, show_text
from console.cli.trying import At, InCampaigns, known_to_files, moment_of, only_with_files
from console.control import distributions, explain
from console.control.distribution_check import check
from console.control.events import customer_of
from console.control.files.documents import read_documents
from console.control.left_with_us import with_choices
from schemas.distribution import Distribution
from schemas.record import JsonObject
from schemas.wire.json_text import decode_json
from store.consent_choices import Choice, ConsentChoices
from streams.upstream import unwrapped

commands = typer.Typer()


@commands.command("simulate")
def simulate_command(
    event: Annotated[Path, typer.Option("--event", help="A file with one event as JSON.")],
    files: Annotated[list[Path] | None, typer.Argument(help="Distributions to try instead of those applied.")] = None,
    campaigns: InCampaigns = None,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Show what an event would cause, with every test made. Nothing is sent; with files it needs no servers."""
    must_exist([event, *(files or ())])
    only_with_files(campaigns, is_file=bool(files))
    wiring = wiring_of(read_settings()) if files else load_wiring()
    given = unwrapped(decode_json(event.read_bytes()), (), wiring.project)
    choices: tuple[Choice, ...] = ()
    if files:
        rules, profile = asyncio.run(_rules_from(files, wiring, campaigns)), None
    else:
        rules, choices = in_session(partial(_applied, event=given), *SERVERS)
        profile = _stored_profile(wiring, given)
    now = moment_of(at, rules, wiring.settings.zone)
    simulated = with_choices(explain.simulate(given, rules, profile, now, wiring.settings.zone), choices)
    if as_json:
        show_json(simulated.outcomes)
    else:
        show_simulation(simulated)


async def _applied(opened: Session, event: JsonObject) -> tuple[list[Distribution], tuple[Choice, ...]]:
    rules = await distributions.listed(opened.pool, opened.project_id)
    project = str(event.get("project_id") or opened.project_id)
    return rules, await ConsentChoices(opened.pool).of(project, customer_of(event))


async def _rules_from(files: list[Path], wiring: Wiring, campaigns: Path | None) -> list[Distribution]:
    now, project = utc_now(), await project_of(wiring)
    checked = check(read_documents(files), project, await known_to_files(wiring, project, campaigns, now), now)
    return [definition.distribution for _, definition in checked]


def _stored_profile(wiring: Wiring, event: JsonObject) -> JsonObject | None:
    customer, project = customer_of(event), str(event.get("project_id") or wiring.project)
    return explain.stored_profile(wiring, project, customer) if customer else None


@commands.command("why")
def why_command(
    who: Annotated[str, typer.Argument(metavar="CUSTOMER|DELIVERY", help="A customer's id, or a delivery id.")],
    distribution: Annotated[str | None, typer.Option(help="Only this distribution.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what was decided about a customer, and what became of each delivery."""

    async def tell(opened: Session) -> None:
        story = await explain.story(opened.pool, opened.wiring, opened.project_id, who, distribution)
        if as_json:
            show_json(story_json(story, opened.now))
        elif story.is_empty:
            show_text(
                f"nothing is known about {escape(who)}: no distribution fitted an event of theirs. "
                "Try: tidings simulate"
            )
        else:
            show_story(story)

    in_session(tell, *SERVERS)
