"""Keeping it running: topics, lag, dead-letters, paused destinations, doctor."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import astuple, replace
from typing import Annotated

import typer
from rich.markup import escape

from agents.broker.topics import Provision
from agents.broker.wire import Wire
from agents.clock import utc_now
from console.cli import terminal
from console.cli.context import Session, in_session, load_wiring
from console.cli.terminal import AsJson, show_json, show_rows, show_text

commands = typer.Typer()
topics_app = typer.Typer(no_args_is_help=True, help="Topics on the broker: what differs from the declaration.")
commands.add_typer(topics_app, name="topics")


@topics_app.command("plan")
def topics_plan(as_json: AsJson = False) -> None:
    """Show what differs between the declaration and the broker."""
    rows = [(change.kind, change.topic, change.detail) for change in Provision(load_wiring("kafka")).plan()]
    show_rows(("change", "topic", "detail"), rows, as_json=as_json)


@topics_app.command("apply")
def topics_apply(as_json: AsJson = False) -> None:
    """Create missing topics and set what differs. Partition counts are never changed."""
    provision = Provision(load_wiring("kafka"))
    rows = [(change.kind, change.topic, change.detail) for change in provision.apply()]
    show_rows(("done", "topic", "detail"), rows, as_json=as_json)
    provision.check()


@topics_app.command("copy")
def topics_copy(
    source: Annotated[str, typer.Option("--from", help="The topic prefix that was used until now.")],
    as_json: AsJson = False,
) -> None:
    """Copy what is kept for ever (profiles, distributions, tables) into new topics, by key: to more partitions."""
    from console.control.topics import copy_kept

    wiring = load_wiring("kafka")
    Provision(wiring).check()
    old = Wire(
        wiring.kafka,
        replace(wiring.topics, prefix=source),
        wiring.settings.wire,
        default_project=wiring.default_project,
    )
    rows = list(asyncio.run(copy_kept(old, wiring)).items())
    show_rows(("topic", "records"), rows, as_json=as_json)


@commands.command("lag")
def lag_command(
    everything: Annotated[bool, typer.Option("--all", help="Partitions without lag as well.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show how far each consumer group is behind."""
    from console.control.lag import group_lags

    groups = group_lags(load_wiring("kafka"))
    found = [one for group in groups for one in group.partitions]
    shown = [one for one in found if everything or one.lag]
    rows = [(one.group, one.topic, one.partition, one.committed, one.end, one.lag) for one in shown]
    show_rows(("group", "topic", "partition", "committed", "end", "lag"), rows, as_json=as_json)
    if not as_json:
        show_text(f"lag {sum(one.lag for one in found)} in {len(found)} partitions")
        for group in groups:
            if not group.has_committed and (everything or group.lag):
                show_text(f"{group.group} has never committed: start a worker of this role where one is needed")


@commands.command("top")
def top_command(
    every: Annotated[float, typer.Option(help="Seconds between two looks.")] = 2.0,
    once: Annotated[bool, typer.Option("--once", help="Two looks, then end.")] = False,
    as_json: AsJson = False,
) -> None:
    """Each worker process, live: its partitions, its lag, and records a second. Ctrl-C ends it."""
    import time

    from rich.live import Live
    from rich.table import Table

    from agents.broker.groups import Groups, Member

    def table(rows: list[Member]) -> Table:
        made = Table("role", "process", "partitions", "lag", "records/s")
        for row in rows:
            rate = "" if row.rate is None else f"{row.rate:,.0f}"
            made.add_row(row.role, escape(row.process), str(row.partitions), f"{row.lag:,}", rate)
        return made

    top = Groups(load_wiring("kafka"))
    rows = top.read().members
    if once or as_json:
        time.sleep(every)
        found = [(row.role, row.process, row.partitions, row.lag, row.rate) for row in top.read().members]
        show_rows(("role", "process", "partitions", "lag", "records/s"), found, as_json=as_json)
        return
    with Live(table(rows)) as live:
        while True:
            time.sleep(every)
            live.update(table(top.read().members))


@commands.command("destinations")
def destinations_command(
    resume: Annotated[str, typer.Option(metavar="CHANNEL/NAME", help="Send to it again, the oldest first.")] = "",
    as_json: AsJson = False,
) -> None:
    """Destinations that little or nothing is sent to (paused, failing, throttled): why, since when, what waits."""
    from console.control.destinations import HeldDestination, held, resume_destination
    from store.sending.ledger import Ledger

    async def work(opened: Session) -> list[HeldDestination]:
        ledger = Ledger(opened.pool)
        if resume:
            await resume_destination(ledger, opened.project_id, resume, actor=opened.actor)
        return await held(ledger, opened.project_id)

    columns = ("channel", "destination", "state", "kind", "reason", "paused at", "waiting", "oldest")
    show_rows(columns, map(astuple, in_session(work)), as_json=as_json)


@commands.command("doctor")
def doctor_command(
    as_json: AsJson = False,
    log_in: Annotated[
        bool, typer.Option("--log-in", help="Log in with each account of the database, without a message.")
    ] = False,
) -> None:
    """Check everything that a worker needs, and say how to mend it."""
    from console.control.doctor import examine

    findings = asyncio.run(examine(load_wiring(), os.environ, utc_now(), log_in=log_in))
    if as_json:
        for finding in findings:
            show_json(finding)
    else:
        for finding in findings:
            show_text(
                f"{'[green]✓[/green]' if finding.ok else '[red]✗[/red]'} {finding.what:<20} {escape(finding.said)}"
            )
    if not all(finding.ok for finding in findings):
        sys.exit(terminal.PROBLEM)
