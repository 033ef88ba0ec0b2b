"""Options and steps of commands that try distributions without applying them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Annotated

import typer

from agents.clock import utc_now
from agents.wiring import Wiring
from console.cli.context import database
from console.cli.terminal import must_exist
from console.control import distributions
from console.control.context import ProjectContext
from console.control.distribution_check import Known
from console.control.files.campaigns import CampaignFiles
from console.control.segment_names import KnownSegments
from schemas.distribution import Distribution
from schemas.errors import TidingsError
from schemas.formats.blank import trimmed
from schemas.formats.days import read_moment, zone_of
from schemas.record import JsonObject
from schemas.wire.json_text import decode_json
from store.campaigns import Campaigns
from store.segments import Segments

_NOON = timedelta(hours=12)

InCampaigns = Annotated[
    Path | None,
    typer.Option(
        "--campaigns",
        metavar="FOLDER",
        help="Campaign files that distributions in files may name, and no others. Default: those applied, where a "
        "database is known, and those in campaigns/ beside the file or one folder up.",
    ),
]

At = Annotated[
    str | None,
    typer.Option(
        "--at",
        metavar="MOMENT",
        help="Judge as at this moment: 2026-12-24T09:00:00+01:00, without an offset in the project's timezone, or a "
        "date for its noon there. Default: now.",
    ),
]


def moment_of(at: str | None, rules: Iterable[Distribution], zone: tzinfo) -> datetime:
    """The moment that `--at` names, in the zone of the rules' project, else in `zone`; without it now."""
    if at is None:
        return utc_now()
    names = (rule.timezone for rule in rules if rule.timezone)
    moment = read_moment(at, next(map(zone_of, names), zone))
    if moment is None or not datetime(1900, 1, 1, tzinfo=UTC) < moment < datetime(9000, 1, 1, tzinfo=UTC):
        raise typer.BadParameter(f'--at: "{at}" is not a moment, as in 2026-12-24T09:00:00+01:00 or 2026-12-24')
    return moment + _NOON if len(trimmed(at)) == len("2026-12-24") else moment


async def known_to_files(wiring: Wiring, project: ProjectContext, campaigns: Path | None, now: datetime) -> Known:
    """The campaigns and templates that distributions in files may name: in files, and in the database if one is known.

    Raises TryLater.
    """
    if not wiring.settings.postgres.dsn.reveal():
        return Known(CampaignFiles(project, now, place=campaigns))
    async with database(wiring) as pool:
        applied = None if campaigns else await Campaigns(pool).current(project.project_id)
        templates = await distributions.stored_templates(pool, project.project_id)
    return Known(CampaignFiles(project, now, applied=applied, place=campaigns), templates)


async def applied_segments(wiring: Wiring) -> KnownSegments | None:
    """The segments of the database, if one is known. Raises TryLater."""
    if not wiring.settings.postgres.dsn.reveal():
        return None
    async with database(wiring) as pool:
        rules = await distributions.listed(pool, wiring.project)
        return KnownSegments.beside(await Segments(pool).ids(wiring.project), (), rules)


def only_with_files(campaigns: Path | None, *, is_file: bool) -> None:
    """Refuse `--campaigns` for distributions that are applied."""
    if campaigns is not None:
        must_exist([campaigns])
        if not is_file:
            raise typer.BadParameter("--campaigns goes with distributions in files; what is applied has its campaign")


def json_object(file: Path) -> JsonObject:
    """The object in a file. Raises TidingsError."""
    found = decode_json(file.read_bytes())
    if not isinstance(found, dict):
        raise TidingsError(f"{file} does not hold a JSON object")
    return found
