"""Campaigns and their codes: apply, list, show, count, generate, import."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from console.cli.applying import Asked, DryRun, Files, Override, Yes, carry_out
from console.cli.context import Session, in_session, session
from console.cli.imported import show_imported
from console.cli.progress import bar
from console.cli.terminal import AsJson, must_exist, show_json, show_rows, show_text
from console.control import campaigns, codes
from console.control.files.code_file import CodeFile
from console.control.files.code_row import RowReader
from console.control.files.documents import read_documents

commands = typer.Typer()
campaigns_app = typer.Typer(no_args_is_help=True, help="Campaigns and their codes.")
commands.add_typer(campaigns_app, name="campaigns")


@campaigns_app.command("apply")
def apply_command(
    files: Files, yes: Yes = False, dry_run: DryRun = False, as_json: AsJson = False, override: Override = False
) -> None:
    """Check campaigns, show what would change, and save it."""
    asyncio.run(_apply(files, Asked(yes, dry_run, as_json), override=override))


async def _apply(files: list[Path], asked: Asked, *, override: bool) -> None:
    async with session("postgres") as opened:
        plan = await campaigns.plan(opened.pool, read_documents(files), opened.project, opened.now)
        save = partial(campaigns.save, opened.pool, **opened.acting(override))
        await carry_out(plan, save, asked, partial(opened.met, override))


@campaigns_app.command("list")
def list_command(as_json: AsJson = False) -> None:
    """Every campaign with its newest version, and how many codes are left."""
    found = in_session(lambda opened: campaigns.listed(opened.pool, opened.project_id, opened.now))
    columns = ("campaign", "version", "kind", "type", "active", "left")
    show_rows(columns, map(_listed, found), as_json=as_json)


def _listed(one: campaigns.CampaignSummary) -> tuple[object, ...]:
    made = one.campaign
    kind = made.type if campaigns.has_codes(made) else None
    return made.id, made.version, made.kind, kind, made.active, one.left


@campaigns_app.command("show")
def show_command(campaign: str) -> None:
    """One campaign, as claims hold it."""
    show_json(in_session(lambda opened: campaigns.find(opened.pool, opened.project_id, campaign)))


@campaigns_app.command("codes")
def codes_command(campaign: str, as_json: AsJson = False) -> None:
    """Count the codes of a campaign's pool."""
    counts = in_session(lambda opened: codes.count(opened.pool, opened.project_id, campaign, opened.now))
    columns = ("campaign", "total", "free", "published", "inactive", "expired", "left", "low_water", "low")
    rows = [
        (one.campaign_id, one.total, one.free, one.published, one.inactive, one.expired, one.left, one.low_water,
         one.is_low)
        for one in counts
    ]  # fmt: skip
    show_rows(columns, rows, as_json=as_json)


@campaigns_app.command("generate")
def generate_command(
    campaign: str,
    count: Annotated[int, typer.Option(min=1, max=100_000_000, help="How many codes.")],
    as_json: AsJson = False,
) -> None:
    """Make codes of the campaign's pattern ahead of time; all of them, or none where they do not fit."""

    async def make(opened: Session) -> int:
        with bar("making codes", count) as shown:
            return await codes.generate(
                opened.pool, opened.project_id, campaign, count, actor=opened.actor, now=opened.now, on_progress=shown
            )

    made = in_session(make)
    if as_json:
        show_json({"campaign": campaign, "made": made})
    else:
        show_text(f"{escape(campaign)}: {made:,} codes made")


@campaigns_app.command("import")
def import_command(
    file: Annotated[Path, typer.Argument(help="CSV: code, and active, start_date, expiration_date, value, metadata.*")],
    campaign: Annotated[str, typer.Option(help="Whose pool the codes go into.")],
    batch: Annotated[int, typer.Option(min=1, max=100_000, help="Codes a transaction.")] = 10_000,
    as_written: Annotated[
        bool, typer.Option("--as-written", help="Take codes that look as a spreadsheet makes them for what they are.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Add the codes of a file to a campaign; the same file again adds what is missing."""
    must_exist([file])

    async def add(opened: Session) -> codes.Imported:
        code_file = CodeFile(file, RowReader(opened.project.zone, as_written=as_written))
        with bar("checking", file.stat().st_size) as shown:
            return await codes.import_codes(
                opened.pool,
                opened.project_id,
                campaign,
                code_file,
                batch=batch,
                actor=opened.actor,
                now=opened.now,
                on_progress=shown.at,
            )

    show_imported(file, campaign, in_session(add), as_json=as_json)
