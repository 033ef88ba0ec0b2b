"""The suppression list: add, remove, look, import, export."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from dataclasses import astuple, fields
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from console.cli.applying import DryRun
from console.cli.context import Session, in_session, session
from console.cli.progress import bar
from console.cli.terminal import AsJson, must_exist, show_json, show_rows, show_text
from console.control import suppressions as control
from console.control.files.suppression_file import SuppressionFile, channel_of
from schemas.closed import ChannelName
from schemas.errors import TidingsError
from schemas.suppression import Suppression
from store.sending.suppressions import Suppressions

T = TypeVar("T")

commands = typer.Typer()
suppressions_app = typer.Typer(no_args_is_help=True, help="Addresses, domains and wildcards that nothing is sent to.")
commands.add_typer(suppressions_app, name="suppressions")

Keys = Annotated[
    list[str], typer.Argument(metavar="KEY...", help="As in ann@shop.example, shop.example, '*.shop.example'.")
]
Key = Annotated[str, typer.Argument(metavar="KEY", help="As in ann@shop.example, shop.example, '*.shop.example'.")]
OnChannel = Annotated[str, typer.Option("--channel", help="On this channel alone: webhook or email.")]
Reason = Annotated[str, typer.Option(help="bounced, complained, unsubscribed, requested or other.")]


@suppressions_app.command("add")
def add_command(
    keys: Keys,
    channel: OnChannel = "",
    reason: Reason = "requested",
    source: Annotated[str, typer.Option(help="Where it comes from, in your words.")] = "by hand",
    until: Annotated[str | None, typer.Option(help="A day, through which it holds, or a moment.")] = None,
    lasts: Annotated[str | None, typer.Option("--for", metavar="SPAN", help="A span from now, as in 30d.")] = None,
    dry_run: DryRun = False,
) -> None:
    """Send nothing to these any more, what waits included. What is on the list is never shortened."""

    async def work(opened: Session) -> int:
        wording = control.Wording(reason, source, channel, until, lasts)
        entry = control.read_entry(opened.project_id, opened.actor, wording)
        return await control.add(Suppressions(opened.pool), entry, keys, dry_run=dry_run)

    if until and lasts:
        raise typer.BadParameter("--until and --for exclude each other")
    changed = in_session(work)
    others = "; the others were already, for as long or longer" if changed < len(keys) else ""
    show_text(f"{'would be suppressed' if dry_run else 'suppressed'}: {changed} of {len(keys)}{others}")


@suppressions_app.command("remove")
def remove_command(key: Key, channel: OnChannel = "", dry_run: DryRun = False) -> None:
    """Send to it again. What was ended meanwhile stays ended."""

    async def work(opened: Session) -> int:
        listed = Suppressions(opened.pool)
        return await control.remove(
            listed, opened.project_id, key, _channel(channel), actor=opened.actor, dry_run=dry_run
        )

    show_text(f"{'entries that would be removed' if dry_run else 'entries removed'}: {in_session(work)}")


@suppressions_app.command("list")
def list_command(
    key: Annotated[
        str | None, typer.Argument(metavar="[KEY]", help="What covers it, instead of the whole list.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="The first so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """The list in the order of its keys: why, where from, until when, since when, by whom."""

    async def work(opened: Session) -> list[Suppression]:
        listed = Suppressions(opened.pool)
        if key is not None:
            return await control.covering(listed, opened.project_id, key)
        found: list[Suppression] = []
        async for one in control.listed(listed, opened.project_id):
            if len(found) == limit:
                break
            found.append(one)
        return found

    columns = tuple(field.name for field in fields(Suppression))
    show_rows(columns, map(astuple, in_session(work)), as_json=as_json)


@suppressions_app.command("import")
def import_command(
    file: Annotated[
        Path, typer.Argument(help="CSV: key, and channel, reason, source, expires_at, added_at, added_by as wanted.")
    ],
    reason: Reason = "other",
    as_json: AsJson = False,
) -> None:
    """Add the entries of a file; all is checked before, and the same file again changes nothing."""
    must_exist([file])

    async def work(opened: Session) -> control.Imported:
        entries = _valid(lambda: SuppressionFile(file, project_id=opened.project_id, reason=reason, actor=opened.actor))
        with bar("checking", file.stat().st_size) as shown:
            return await control.import_entries(
                Suppressions(opened.pool), entries, actor=opened.actor, on_progress=shown.at
            )

    done = in_session(work)
    if as_json:
        show_json(done)
    else:
        show_text(f"{done.changed:,} of {done.rows:,} entries are new or last longer now")


@suppressions_app.command("export")
def export_command(
    file: Annotated[Path | None, typer.Argument(help="Where to; standard output without it.")] = None,
) -> None:
    """Write the whole list as a CSV file that `import` takes."""
    asyncio.run(_export(file))


async def _export(file: Path | None) -> None:
    async with session("postgres") as opened:
        lines = control.export(Suppressions(opened.pool), opened.project_id)
        if file is None:
            async for line in lines:
                sys.stdout.write(line)
            return
        unfinished = file.with_name(f"{file.name}.part")
        with unfinished.open("w", encoding="utf-8", newline="") as handle:
            async for line in lines:
                handle.write(line)
        unfinished.replace(file)


def _channel(written: str) -> ChannelName | None:
    return _valid(lambda: channel_of(written))


def _valid(read: Callable[[], T]) -> T:
    try:
        return read()
    except ValueError as error:
        raise TidingsError(str(error)) from None
