"""Webhooks: a test event at an endpoint, and its last calls."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from console.cli import terminal
from console.cli.context import Session, in_session, load_wiring
from console.cli.preview import of_file
from console.cli.terminal import AsJson, fail, show_json, show_rows, show_text
from console.cli.trying import known_to_files
from console.control import endpoint_log, webhook_trial
from console.control.files.documents import ENDINGS
from console.control.preview import messages
from console.control.preview.messages import Candidate
from store.accounts import Accounts
from store.sending.endpoint_calls import MOST_ACCEPTED, MOST_OTHERS, EndpointCalls, LoggedCall

commands = typer.Typer()
webhooks_app = typer.Typer(no_args_is_help=True, help="Endpoints of webhooks: send a test event, show the last calls.")
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


@webhooks_app.command("log")
def log_command(
    endpoint: Annotated[
        str, typer.Argument(metavar="HOST", help="As destinations show it; webhook/HOST, or a URL of it.")
    ],
    limit: Annotated[int, typer.Option(min=1, max=MOST_ACCEPTED + MOST_OTHERS, help="The newest so many.")] = 20,
    delivery: Annotated[str | None, typer.Option(help="Of this delivery alone.")] = None,
    refused: Annotated[bool, typer.Option("--refused", help="Without those that were accepted.")] = False,
    whole: Annotated[
        bool, typer.Option("--whole", help="Requests and replies as well, as far as they are kept.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show the last calls of an endpoint, newest first: what was asked, what it answered, how long it took.

    All that were not accepted, as far as they are kept, and one in ten seconds of the others; nothing secret.
    """

    async def work(opened: Session) -> list[LoggedCall]:
        store = EndpointCalls(opened.pool)
        return await endpoint_log.newest(
            store, opened.project_id, endpoint, limit, delivery=delivery, is_refused=refused
        )

    found = in_session(work)
    if as_json:
        for one in found:
            show_json(asdict(one))
    elif whole:
        for one in found:
            _show_logged(one)
    else:
        columns = ("at", "attempt", "outcome", "ms", "delivery", "detail")
        rows = [(one.at, one.attempt, one.outcome, one.duration_ms, one.delivery_id, one.detail) for one in found]
        show_rows(columns, rows, as_json=False)


def _show_logged(one: LoggedCall) -> None:
    show_text(f"[bold]{one.at:%Y-%m-%d %H:%M:%SZ}[/bold]  attempt {one.attempt} of {escape(one.delivery_id)}")
    show_text(f"  POST {escape(one.request['url'])}, {one.request['body_bytes']} bytes")
    show_text(f"  [dim]headers {escape(', '.join(one.request['headers']))}[/dim]")
    _write(one.request["body"])
    _show_reply(one.detail, one.duration_ms, one.reply or {})
    show_text("")


def _show_reply(detail: str, milliseconds: int, reply: Mapping[str, Any]) -> None:
    show_text(f"[bold]{escape(detail)}[/bold] after {milliseconds} ms")
    for name, value in reply.get("headers", {}).items():
        show_text(f"  {escape(name)}: {escape(value)}")
    if reply.get("body"):
        _write(reply["body"])


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
    _show_reply(call.detail, call.milliseconds, {"headers": call.reply_headers, "body": call.reply_body})
    if not tried.is_accepted:
        fail(tried.mend)


def _write(text: str) -> None:
    """As it is: no markup, no wrapping."""
    sys.stdout.write(text.rstrip("\n") + "\n")
