"""Notices: what waits for a person."""

from __future__ import annotations

import asyncio
from dataclasses import astuple, fields
from typing import Annotated

import typer

from console.cli.context import database, load_wiring
from console.cli.terminal import AsJson, show_rows
from console.control.notices import ShownNotice, notices_of

commands = typer.Typer()


@commands.command("notices")
def notices_command(
    closed: Annotated[bool, typer.Option("--all", help="Those that are over as well.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what waits for a person: accounts that refuse us, distributions without codes, pools that run low."""
    from store.notices import Notices, nobody

    async def work() -> list[ShownNotice]:
        wiring = load_wiring("postgres")
        async with database(wiring) as pool:
            return await notices_of(Notices(pool, nobody), wiring.project, closed=closed)

    rows = [astuple(one) for one in asyncio.run(work())]
    columns = tuple(field.name.replace("_", " ") for field in fields(ShownNotice))
    show_rows(columns, rows, as_json=as_json)
