"""Webhooks: a test event at an endpoint."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from console.cli import terminal
from console.cli.context import Session, in_session, load_wiring
from console.cli.preview import of_file
from console.cli.terminal import AsJson, fail, show_json, show_text
from console.cli.trying import known_to_files
from console.control import webhook_trial
from console.control.files.documents import ENDINGS
from console.control.preview import messages
from console.control.preview.messages import Candidate
from store.accounts import Accounts

commands = typer.Typer()
webhooks_app = typer.Typer(no_args_is_help=True, help="Endpoints of webhooks: send a test event.")
commands.add_typer(webhooks_app, name="webhooks")


@webhooks_app.command("test")
def test_command(
    what: Annotated[str, typer.Argument(metavar="URL|FILE|ID", help="An address, or a distribution with webhooks.")],
    as_json: AsJson = False,
) -> None:
    """Send one signed example to an endpoint, and show what it answers. Nothing of it is noted or counted.

    Its webhook-id begins with test_. Of a distribution it is the sample of its event; exit code 1 where it is not
    accepted, with what would mend it.
    """
    load_wiring("postgres")
    is_file = Path(what).suffix in ENDINGS or Path(what).is_dir()
    written = of_file(Path(what), None)[1] if is_file else None

    async def work(opened: Session) -> list[webhook_trial.Tried]:
        candidates = await _candidates(opened, what) if written is None else written
        zone = opened.wiring.settings.zone
        deliveries = webhook_trial.example_deliveries(candidates, opened.project_id, zone, opened.now)
        return await webhook_trial.tried(Accounts(opened.pool), opened.wiring.settings, deliveries, opened.now)

    found = in_session(work)
    for one in found:
        show_json(asdict(one)) if as_json else _show(one)
    if not all(one.is_accepted for one in found):
        sys.exit(terminal.PROBLEM)


async def _candidates(opened: Session, what: str) -> list[Candidate]:
    if "://" not in what:
        return [await messages.from_store(opened.pool, opened.project_id, what)]
    known = await known_to_files(opened.wiring, opened.project, None, opened.now)
    return messages.from_documents(webhook_trial.document_of(what), opened.project, known, opened.now)


def _show(tried: webhook_trial.Tried) -> None:
    call = tried.call
    show_text(f"[bold]POST[/bold] {escape(call.url)}")
    show_text(
        f"  webhook-id {call.delivery_id}, signed by {escape(tried.signed_by) or 'nobody'}, {call.body_bytes} bytes"
    )
    show_text(f"  [dim]headers {escape(', '.join(call.headers))}[/dim]")
    _write(call.body)
    show_text(f"[bold]{escape(call.detail)}[/bold] after {call.milliseconds} ms")
    for name, value in call.reply_headers.items():
        show_text(f"  {escape(name)}: {escape(value)}")
    if call.reply_body:
        _write(call.reply_body)
    if not tried.is_accepted:
        fail(tried.mend)


def _write(text: str) -> None:
    """As it is: no markup, no wrapping."""
    sys.stdout.write(text.rstrip("\n") + "\n")
