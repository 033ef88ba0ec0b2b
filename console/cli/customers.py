"""Customers: profiles from a file, all that is kept of one, and one erased with a receipt."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from console.cli.applying import DryRun
from console.cli.context import Session, in_session
from console.cli.terminal import AsJson, must_exist, show_json, show_rows, show_text
from console.control import consents, erasures, exports
from console.control.customers import check_rows
from console.control.erasures import Receipt
from console.control.events import Reading, publish_checked
from console.control.files.csv_file import CsvFile
from console.control.files.customer_file import COLUMNS

_MOST_ROWS = 100_000
"""Of a file: they are checked before the first is written, so all of them are kept in memory."""

commands = typer.Typer()
customers_app = typer.Typer(no_args_is_help=True, help="Customers: import many, export or erase one.")
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


@customers_app.command("import")
def import_command(
    file: Annotated[Path, typer.Argument(help="A CSV file whose first line names paths of the profile.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check every line, and write nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Replace the whole profiles of the customers in a file: all of them, or none where a line is wrong.

    Columns are id, name, email and the other texts, consents.<category>, metadata.<path> and address.<path>.
    """
    must_exist([file])

    async def work(opened: Session) -> int:
        reading = Reading.by(opened.wiring.settings.matcher, opened.project_id, opened.now, customers=True)
        checked = check_rows(opened.wiring, CsvFile(file, COLUMNS), reading, _MOST_ROWS)
        if not dry_run:
            await publish_checked(opened.wiring, checked)
        return len(checked.outputs)

    count = in_session(work, "kafka", "postgres")
    if as_json:
        show_json({"accepted": count, "dry_run": dry_run})
    else:
        show_text(f"{count:,} profiles {'would be' if dry_run else 'are'} written")


Categories = Annotated[list[str] | None, typer.Option(metavar="CATEGORY", help="May be repeated; * is all of them.")]


@customers_app.command("consents")
def consents_command(
    customer: Annotated[str, typer.Argument(metavar="ID", help="The customer's id.")],
    withdraw: Categories = None,
    ask_for: Categories = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Show what a customer is sent, or write down what they want: a withdrawal counts at once."""
    given = {**dict.fromkeys(ask_for or (), True), **dict.fromkeys(withdraw or (), False)}

    async def work(opened: Session) -> consents.Consents:
        place = opened.pool, opened.wiring.settings, opened.project_id, customer
        if given:
            await consents.write_down(*place, given, actor=opened.actor, dry_run=dry_run)
        return await consents.consents(*place)

    found = in_session(work)
    rows = [(one.name, one.is_given) for one in found.standing.categories]
    show_rows(("category", "sent"), rows, as_json=as_json)


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
