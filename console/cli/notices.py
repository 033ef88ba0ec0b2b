"""Notices: what waits for a person."""

from __future__ import annotations

from dataclasses import astuple, fields
from typing import Annotated

import typer

from console.cli.context import in_session
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

    found = in_session(lambda opened: notices_of(Notices(opened.pool, nobody), opened.project_id, closed=closed))
    columns = tuple(field.name.replace("_", " ") for field in fields(ShownNotice))
    show_rows(columns, map(astuple, found), as_json=as_json)
