"""Customers: profiles from a file, all that is kept of one, and one erased with a receipt."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from agents.clock import utc_now
from console.cli.applying import DryRun
from console.cli.context import SERVERS, Session, in_session
from console.cli.customer_search import search_commands
from console.cli.import_of_customers import show_outcome, show_tried
from console.cli.progress import bar
from console.cli.terminal import AsJson, must_exist, show_json, show_rows, show_text
from console.control import consents, erasures, exports, imports
from console.control.erasures import Receipt
from console.control.imports import ImportWork, Upload
from store.imports import ImportRow, LookedThrough

_JSON_LINES = (".ndjson", ".jsonl")

commands = typer.Typer()
customers_app = typer.Typer(no_args_is_help=True, help="Customers: import many; find, show, export or erase one.")
customers_app.add_typer(search_commands)
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
    file: Annotated[Path, typer.Argument(help="CSV whose first line names paths of the profile, or .ndjson, .jsonl.")],
    skip_wrong: Annotated[
        bool, typer.Option("--skip-wrong", help="Leave wrong lines out, and write the others.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check every line, and write nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Replace the whole profiles of the customers in a file: all of them, or none where a line is wrong.

    Columns are id, name, email and the other texts, consents.<category>, metadata.<path> and address.<path>. It is an
    import as over the API, ends with 0 where every line went in, and is canceled where the command ends early.
    """
    must_exist([file])
    with file.open("rb") as content:
        upload = Upload(content, file.stat().st_size, "ndjson" if file.suffix in _JSON_LINES else "csv")
        if dry_run:
            found, is_right = in_session(lambda opened: _tried(opened, upload, skip_wrong=skip_wrong), *SERVERS)
            show_tried(file, found, is_right=is_right, as_json=as_json)
        else:
            done = in_session(lambda opened: _imported(opened, upload, skip_wrong=skip_wrong), *SERVERS)
            show_outcome(file, done, as_json=as_json)


async def _tried(opened: Session, upload: Upload, *, skip_wrong: bool) -> tuple[LookedThrough, bool]:
    of = opened.wiring, opened.project_id, upload
    return await imports.try_customers(*of, skip_wrong=skip_wrong, now=opened.now, most=None)


async def _imported(opened: Session, upload: Upload, *, skip_wrong: bool) -> ImportRow:
    begun = await imports.begin_customers(
        opened.pool, opened.project_id, upload, skip_wrong=skip_wrong, actor=opened.actor
    )
    owner = f"{socket.gethostname()}-{os.getpid()}-{begun.import_id}"
    with bar("checking", upload.size) as shown:

        def see(now: ImportRow) -> None:
            is_adding = now.state == "adding" and now.rows
            shown.at(now.state, now.bytes * now.rows_read // now.rows if is_adding else now.bytes_read)

        return await ImportWork(opened.pool, opened.wiring, owner, utc_now).see_through(begun, see)


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
