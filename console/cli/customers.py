"""Customers: all that is kept of one, and one erased with a receipt."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from console.cli.applying import DryRun
from console.cli.context import Session, in_session
from console.cli.terminal import AsJson, show_json, show_rows, show_text
from console.control import erasures, exports
from console.control.erasures import Receipt

commands = typer.Typer()
customers_app = typer.Typer(no_args_is_help=True, help="Customers: export or erase one.")
commands.add_typer(customers_app, name="customers")


@customers_app.command("export")
def export_command(
    customer: Annotated[str, typer.Argument(metavar="ID", help="The customer's id.")],
    file: Annotated[Path | None, typer.Argument(help="Where to; standard output without it.")] = None,
) -> None:
    """Everything that is kept of a customer, as one JSON document. The audit log says who asked."""

    async def work(opened: Session) -> None:
        asking = exports.Asking(opened.project_id, customer, opened.actor, opened.now)
        with file.open("wb") if file else nullcontext(sys.stdout.buffer) as target:
            await exports.export(opened.pool, opened.wiring, asking, target)

    in_session(work, "kafka", "postgres")


@customers_app.command("erase")
def erase_command(
    customer: Annotated[str, typer.Argument(metavar="ID", help="The customer's id.")],
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Erase a customer: what goes at once, by when each topic is clean, and what stays. The same again does no harm."""

    async def work(opened: Session) -> Receipt:
        asking = erasures.Asking(opened.project_id, customer, opened.actor, opened.now)
        return await erasures.erase(opened.pool, opened.wiring, asking, opened.announce, dry_run=dry_run)

    done = in_session(work, "kafka", "postgres")
    if as_json:
        show_json(done)
        return
    show_text("would be erased, by each role as soon as it reads it:" if dry_run else "erased; gone with each role:")
    show_rows(("role", "what"), [(one.role, one.what) for one in done.at_once], as_json=False)
    show_text("")
    show_rows(
        ("topic", "cleanup", "clean by"), [(one.topic, one.cleanup, one.clean_by) for one in done.topics], as_json=False
    )
    show_text(f"\nexcepted, since upstream writes them: {', '.join(done.excepted)}\n\nstays:")
    for one in done.stays:
        show_text(f"  {one}")
