"""Reports of mail systems: bounces and complaints that came back as mail, in files and in mailboxes."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import astuple, fields
from pathlib import Path
from typing import Annotated

import typer

from console.cli.context import Session, in_session
from console.cli.terminal import AsJson, must_exist, show_rows, show_text
from console.control.files.mail_files import messages
from console.control.reports import Reports, TakenReport, summary

commands = typer.Typer()
reports_app = typer.Typer(no_args_is_help=True, help="Bounces and complaints that came back as mail.")
commands.add_typer(reports_app, name="reports")

_STDIN = Path("-")


@reports_app.command("read")
def read_command(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="Messages, mbox files, Maildirs, folders of messages; - reads one."),
    ],
    as_json: AsJson = False,
) -> None:
    """Tell delivery.status what they say, once each, and suppress dead addresses and whoever complained."""
    must_exist([file for file in files if file != _STDIN])

    async def work(opened: Session) -> list[tuple[str, TakenReport]]:
        reports = Reports(opened.pool, opened.project_id, actor=opened.actor, now=opened.now)
        return [(name, one) for name, message in _messages(files) for one in await reports.take(message)]

    taken = in_session(work)
    columns = ("message", *(field.name for field in fields(TakenReport)))
    show_rows(columns, ((name, *astuple(one)) for name, one in taken), as_json=as_json)
    if not as_json:
        show_text(summary([one for _, one in taken]))


@reports_app.command("poll")
def poll_command(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME...", help="Mailboxes of the settings; without one all.")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Take in what waits, then end.")] = False,
    as_json: AsJson = False,
) -> None:
    """Read mailboxes over IMAP again and again, until Ctrl-C or SIGTERM; move aside what was taken in."""
    from console.cli.mailboxes import keep_looking, look_once

    if not once:
        in_session(lambda opened: keep_looking(opened, names or []))
        return
    rounds = in_session(lambda opened: look_once(opened, names or []))
    rows = [(one.mailbox, one.taken, one.others, one.unread, one.done["told"]) for one in rounds]
    show_rows(("mailbox", "reports", "others", "left there", "told"), rows, as_json=as_json)


def _messages(files: list[Path]) -> Iterator[tuple[str, bytes]]:
    for file in files:
        if file != _STDIN:
            yield from messages(file)
            continue
        with tempfile.NamedTemporaryFile() as kept:  # an mbox is read from its index
            kept.write(sys.stdin.buffer.read())
            kept.flush()
            yield from (("-", message) for _, message in messages(Path(kept.name)))
