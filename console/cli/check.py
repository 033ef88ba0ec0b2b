"""Documents held against a recording, for continuous integration."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from agents.clock import utc_now
from agents.wiring import Wiring
from console.cli import terminal
from console.cli.context import database, load_wiring, project_of, read_settings, wiring_of
from console.cli.terminal import AsJson, fail, must_exist, show_json, show_rows, show_text, warn
from console.cli.trying import InCampaigns, applied_segments, known_to_files
from console.control.checking.check import Report, check
from console.control.checking.fields import counted
from console.control.checking.judged import Recorded
from console.control.explain import stored_profiles
from console.control.files.checked_folder import read_folder
from console.control.known_memberships import KnownMemberships
from console.control.preview.samples import named_accounts, with_stand_ins
from console.control.recording import Recording, Whose, from_lines, from_topics, profiles_of, rows_of, segments_of
from schemas.record import JsonObject
from store.segments import Segments

Events = Annotated[
    list[Path] | None,
    typer.Option("--events", metavar="FILE", help="Recorded events, one a line, as published or tailed. Repeatable."),
]
Topics = Annotated[
    list[str] | None,
    typer.Option("--topic", metavar="TOPIC", help="Or those on a topic, as in events.orders. Repeatable."),
]
Customers = Annotated[
    Path | None,
    typer.Option(
        "--customers",
        metavar="FILE",
        help="Profiles of customers, one a line, also segments: [vip]; they win over the events'.",
    ),
]

commands = typer.Typer()


@commands.command("check")
def check_command(
    folder: Annotated[Path, typer.Argument(help="Distributions, segments, templates, event schemas.")] = Path(),
    events: Events = None,
    topics: Topics = None,
    customers: Customers = None,
    campaigns: InCampaigns = None,
    as_json: AsJson = False,
) -> None:
    """Hold a folder against recorded events: fields gone, rules that fit nothing, branches that fail. For CI."""
    must_exist([folder, *(events or ()), *([customers] if customers else ())])
    written = read_folder(folder)
    settings, _ = with_stand_ins(read_settings(), written.distributions)
    wiring, now = load_wiring("kafka") if topics else wiring_of(settings), utc_now()
    recording, rows, given = recorded_of(wiring, events, topics, customers)
    memberships = asyncio.run(memberships_of(wiring, wiring.project, recording.customers, given))
    project = asyncio.run(project_of(wiring_of(settings))).with_accounts(named_accounts(written.distributions))
    known = asyncio.run(known_to_files(wiring, project, campaigns, now))
    known = replace(known, segments=asyncio.run(applied_segments(wiring)))
    report = check(written, Recorded(recording, rows, memberships), project, known, now)
    if as_json:
        show_json(report)
    else:
        _show(report)
    if not report.is_right:
        sys.exit(terminal.PROBLEM)


def recorded_of(
    wiring: Wiring, events: list[Path] | None, topics: list[str] | None, customers: Path | None
) -> tuple[Recording, dict[str, bytes], dict[str, list[str]]]:
    """The events, profiles and segments of customers that somebody names. Raises TidingsError, TryLater."""
    whose = Whose(wiring.project, wiring.default_project)
    parts = [from_lines(file.read_bytes().splitlines(), str(file), whose) for file in events or ()]
    parts += [from_topics(wiring, topics, whose)] if topics else []
    recording = Recording.joined(parts)
    profiles: dict[str, JsonObject] = {}
    if topics:
        profiles |= stored_profiles(wiring, wiring.project, recording.customers)
    given = profiles_in(customers, whose) if customers else {}
    return recording, rows_of(profiles | given), segments_of(given)


def profiles_in(file: Path, whose: Whose) -> dict[str, JsonObject]:
    """The profiles in a file. Raises InvalidEvent that names the line."""
    return profiles_of(file.read_bytes().splitlines(), str(file), whose)


async def memberships_of(
    wiring: Wiring, project_id: str, customers: Collection[str], given: Mapping[str, Sequence[str]]
) -> KnownMemberships:
    """The segments that customers are in: those given, else those of the database, if one is known. Raises TryLater."""
    if not wiring.settings.postgres.dsn.reveal():
        return KnownMemberships(given=given)
    async with database(wiring) as pool:
        return KnownMemberships(await Segments(pool).changes.of(project_id, customers), given, of_all=True)


def _show(report: Report) -> None:
    columns = ("distribution", "events", "matched", "failed", "branches", "samples")
    rows = [
        (one.distribution, one.events, one.matched, one.failed, one.branches, one.samples)
        for one in report.distributions
    ]
    show_rows(columns, rows, as_json=False)
    for one in report.findings:
        (fail if one.is_problem else warn)(f"{one.place}  {one.message}")
    problems = sum(one.is_problem for one in report.findings)
    show_text(
        escape(
            f"{counted(len(report.distributions), 'distribution')}, {counted(report.segments, 'segment')}, "
            f"{counted(report.templates, 'template')}, {counted(report.events, 'event')}: "
            f"{counted(problems, 'problem')}, {counted(len(report.findings) - problems, 'warning')}"
        )
    )
