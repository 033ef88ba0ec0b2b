"""Trials of events: one with every test, or a recorded stretch of them over time. Nothing is written."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from agents.clock import utc_now
from agents.wiring import Wiring
from console.cli.check import Customers, Events, Topics, memberships_of, profiles_in, recorded_of
from console.cli.context import SERVERS, Session, in_session, load_wiring, project_of, read_settings, wiring_of
from console.cli.explained import show_simulation
from console.cli.simulated import show_differences, show_over_time, show_steps
from console.cli.terminal import AsJson, must_exist, show_json
from console.cli.trying import At, InCampaigns, json_object, known_to_files, moment_of, only_with_files
from console.control import distributions, explain
from console.control.distribution_check import check
from console.control.events import customer_of
from console.control.files.documents import read_documents
from console.control.left_with_us import with_choices
from console.control.recording import Recording, Whose, of_records, rows_of, segments_of
from console.control.simulation import (
    as_applied,
    begun_at,
    differences,
    of_customer,
    samples_for,
    simulate_over_time,
)
from schemas.distribution import Distribution
from schemas.record import JsonObject
from store.consent_choices import Choice, ConsentChoices
from streams.upstream import unwrapped

LIVE = "live"

commands = typer.Typer()


@commands.command("simulate")
def simulate_command(
    files: Annotated[list[Path] | None, typer.Argument(help="Distributions to try instead of those applied.")] = None,
    event: Annotated[Path | None, typer.Option("--event", help="A file with one event as JSON.")] = None,
    events: Events = None,
    topics: Topics = None,
    customer: Annotated[
        str | None,
        typer.Option("--customer", metavar="ID", help="Only this customer; alone, with a sample of each trigger."),
    ] = None,
    customers: Customers = None,
    against: Annotated[
        str | None,
        typer.Option(
            "--against",
            metavar="live|FOLDER",
            help="Show what comes out otherwise than with these. Live: as if the files were applied.",
        ),
    ] = None,
    campaigns: InCampaigns = None,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """Show what events would cause and when, with every test. Nothing is sent; with files it needs no servers."""
    over_time = bool(events or topics or customer)
    if bool(event) == over_time:
        raise typer.BadParameter("give --event, or a recording: --events, --topic, --customer")
    other = Path(against) if against and against != LIVE else None
    must_exist([*([event] if event else ()), *(events or ()), *(files or ()), *([other] if other else ())])
    only_with_files(campaigns, is_file=bool(files))
    trial = _Trial(files or [], other, is_live=against == LIVE, campaigns=campaigns, at=at, as_json=as_json)
    if event:
        if against:
            raise typer.BadParameter("--against goes with a recording, as in --events")
        _one(trial, event, customers)
    else:
        _recorded(trial, events, topics, customer, customers)


@dataclass(frozen=True, slots=True)
class _Trial:
    """The distributions to try, those to hold them against, and the moment."""

    files: Sequence[Path]
    other: Path | None
    is_live: bool
    campaigns: Path | None
    at: str | None
    as_json: bool


def _one(trial: _Trial, file: Path, customers: Path | None) -> None:
    """One event, with every test, and what becomes later of what has to wait."""
    wiring = wiring_of(read_settings()) if trial.files else load_wiring()
    given = unwrapped(json_object(file), (), wiring.project)
    choices: tuple[Choice, ...] = ()
    if trial.files:
        rules, profile = asyncio.run(_rules_from(trial.files, wiring, trial.campaigns)), None
    else:
        rules, choices = in_session(partial(_applied, event=given), *SERVERS)
        profile = _stored_profile(wiring, given)
    whose = Whose(str(given.get("project_id") or wiring.project), wiring.default_project)
    profiles = profiles_in(customers, whose) if customers else {}
    profile = profiles.get(customer_of(given), profile)
    memberships = asyncio.run(memberships_of(wiring, whose.project_id, [customer_of(given)], segments_of(profiles)))
    zone = wiring.settings.zone
    now = moment_of(trial.at, rules, zone)
    simulated = with_choices(explain.simulate(given, rules, profile, now, zone, memberships=memberships), choices)
    if trial.as_json:
        show_json(simulated.outcomes)
        return
    show_simulation(simulated)
    if any(decision.outcome == "deferred" for one in simulated.outcomes for decision in one.decisions):
        rows = rows_of({} if profile is None else {customer_of(given): profile})
        records = of_records([given], str(file), whose)
        simulation = simulate_over_time(records, rules, rows, zone, memberships=memberships, now=now)
        show_steps([step for step in simulation.steps if step.round])


def _recorded(
    trial: _Trial, events: list[Path] | None, topics: list[str] | None, customer: str | None, customers: Path | None
) -> None:
    """A recording over time, and what comes out otherwise with other distributions."""
    asks_live = not trial.files or trial.is_live
    wiring = load_wiring(*SERVERS) if asks_live else load_wiring("kafka") if topics else wiring_of(read_settings())
    live = in_session(lambda opened: distributions.listed(opened.pool, opened.project_id)) if asks_live else []
    drafts = asyncio.run(_rules_from(trial.files, wiring, trial.campaigns)) if trial.files else []
    rules = as_applied(drafts, live) if asks_live else drafts
    recording, rows, segments = recorded_of(wiring, events, topics, customers)
    zone, now = wiring.settings.zone, moment_of(trial.at, rules, wiring.settings.zone)
    whose = Whose(wiring.project, wiring.default_project)
    names = {*recording.customers, *([customer] if customer else ())}
    memberships = asyncio.run(memberships_of(wiring, wiring.project, names, segments))
    if asks_live and not customers:
        rows = rows_of(explain.stored_profiles(wiring, wiring.project, names))
    if customer:
        recording = _of_customer(recording, customer, rows, rules, whose, now, has_events=bool(events or topics))
    if trial.at:
        recording = begun_at(recording, now)
    simulation = simulate_over_time(recording, rules, rows, zone, memberships=memberships)
    others: list[Distribution] | None = live if trial.is_live else None
    if trial.other is not None:
        others = asyncio.run(_rules_from([trial.other], wiring, trial.campaigns))
    found = (
        None
        if others is None
        else differences(simulate_over_time(recording, others, rows, zone, memberships=memberships), simulation)
    )
    if trial.as_json:
        totals = [(*key, number) for key, number in sorted(simulation.totals.items())]
        show_json({"steps": simulation.steps, "totals": totals, "wrong": recording.wrong, "differences": found})
        return
    show_over_time(simulation, recording)
    if found is not None:
        show_differences(found)


def _of_customer(
    recording: Recording,
    customer: str,
    rows: Mapping[str, bytes],
    rules: Sequence[Distribution],
    whose: Whose,
    now: datetime,
    *,
    has_events: bool,
) -> Recording:
    """Their events; without a recording a sample of each trigger, about them."""
    if has_events:
        return of_customer(recording, customer)
    return of_records(samples_for(rules, whose.project_id, customer, rows.get(customer), now), "sample", whose)


async def _applied(opened: Session, event: JsonObject) -> tuple[list[Distribution], tuple[Choice, ...]]:
    rules = await distributions.listed(opened.pool, opened.project_id)
    project = str(event.get("project_id") or opened.project_id)
    return rules, await ConsentChoices(opened.pool).of(project, customer_of(event))


async def _rules_from(files: Sequence[Path], wiring: Wiring, campaigns: Path | None) -> list[Distribution]:
    """The distributions in files and folders; of a folder with `distributions/` in it, those there."""
    now, project = utc_now(), await project_of(wiring)
    places = [inner if (inner := file / "distributions").is_dir() else file for file in files]
    checked = check(read_documents(places), project, await known_to_files(wiring, project, campaigns, now), now)
    return [definition.distribution for _, definition in checked]


def _stored_profile(wiring: Wiring, event: JsonObject) -> JsonObject | None:
    customer, project = customer_of(event), str(event.get("project_id") or wiring.project)
    return explain.stored_profile(wiring, project, customer) if customer else None
