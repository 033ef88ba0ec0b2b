"""Campaigns and their codes: apply, list, show, count, generate, import."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from agents.clock import utc_now
from console.cli.applying import Asked, DryRun, Files, Yes, carry_out
from console.cli.context import database, load_wiring
from console.cli.imported import show_imported
from console.cli.terminal import AsJson, err, must_exist, say, show_json, show_rows
from console.control import campaigns as doing
from schemas.campaign import VOUCHER_TYPES, Campaign
from store.campaigns import Campaigns
from store.codes.pool import Codes, Count

commands = typer.Typer()
campaigns_app = typer.Typer(no_args_is_help=True, help="Campaigns and their codes.")
commands.add_typer(campaigns_app, name="campaigns")


@campaigns_app.command("apply")
def apply_command(files: Files, yes: Yes = False, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Check campaigns, show what would change, and save it."""
    asyncio.run(_apply(files, Asked(yes, dry_run, as_json)))


async def _apply(files: list[Path], asked: Asked) -> None:
    wiring = load_wiring("postgres")
    async with database(wiring) as pool:
        plan = await doing.plan(files, wiring.project, pool, wiring.settings.zone)
        await carry_out(plan, partial(doing.save, pool=pool), asked)


@campaigns_app.command("list")
def list_command(as_json: AsJson = False) -> None:
    """Every campaign with its newest version, and how many codes are left."""
    found, counts = asyncio.run(_current())
    left = {count.campaign_id: count.left for count in counts}
    columns = ("campaign", "version", "kind", "type", "active", "left")
    show_rows(columns, [_listed(one, left.get(one.id)) for one in found], as_json=as_json)


def _listed(one: Campaign, left: int | None) -> tuple[object, ...]:
    codes = one.kind in VOUCHER_TYPES
    return one.id, one.version, one.kind, one.type if codes else None, one.active, left if codes else None


async def _current() -> tuple[list[Campaign], list[Count]]:
    wiring = load_wiring("postgres")
    project = wiring.project
    async with database(wiring) as pool:
        return list((await Campaigns(pool).current(project)).values()), await Codes(pool).counts(project, utc_now())


@campaigns_app.command("show")
def show_command(campaign: str) -> None:
    """One campaign, as claims hold it."""

    async def read() -> Campaign:
        wiring = load_wiring("postgres")
        async with database(wiring) as pool:
            return await doing.campaign(pool, wiring.project, campaign)

    show_json(asyncio.run(read()))


@campaigns_app.command("codes")
def codes_command(campaign: str, as_json: AsJson = False) -> None:
    """How full a campaign's pool is."""

    async def read() -> list[Count]:
        wiring = load_wiring("postgres")
        project = wiring.project
        async with database(wiring) as pool:
            await doing.campaign(pool, project, campaign)
            return await Codes(pool).counts(project, utc_now(), [campaign])

    columns = ("campaign", "total", "free", "published", "inactive", "expired", "left", "low_water", "low")
    rows = [
        (one.campaign_id, one.total, one.free, one.published, one.inactive, one.expired, one.left, one.low_water,
         one.is_low)
        for one in asyncio.run(read())
    ]  # fmt: skip
    show_rows(columns, rows, as_json=as_json)


@campaigns_app.command("generate")
def generate_command(
    campaign: str,
    count: Annotated[int, typer.Option(min=1, max=100_000_000, help="How many codes.")],
    as_json: AsJson = False,
) -> None:
    """Make codes of the campaign's pattern ahead of time; all of them, or none where they do not fit."""

    async def make() -> int:
        wiring = load_wiring("postgres")
        async with database(wiring) as pool:
            with _bar("making codes", count) as bar:
                return await doing.generate(pool, wiring.project, campaign, count, bar)

    made = asyncio.run(make())
    if as_json:
        show_json({"campaign": campaign, "made": made})
    else:
        say(f"{escape(campaign)}: {made:,} codes made")


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

    async def add() -> doing.Imported:
        wiring = load_wiring("postgres")
        settings = wiring.settings
        async with database(wiring) as pool:
            with _bar("checking", file.stat().st_size) as bar:
                return await doing.import_codes(
                    pool, wiring.project, campaign, file, batch, bar.at, zone=settings.zone, as_written=as_written
                )

    show_imported(file, campaign, asyncio.run(add()), as_json=as_json)


class _Told:
    """Moves a bar on by so much."""

    def __init__(self, bars: Progress, total: int, what: str) -> None:
        self._bars = bars
        self._task = bars.add_task(what, total=total)

    def __call__(self, by: int) -> None:
        self._bars.advance(self._task, by)

    def at(self, what: str, place: int) -> None:
        """Move to a place, under a word for what is done."""
        self._bars.update(self._task, completed=place, description=what)


@contextmanager
def _bar(what: str, total: int) -> Iterator[_Told]:
    """A bar on standard error, where that is a terminal; gone when the work is done."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bars:
        yield _Told(bars, total, what)
