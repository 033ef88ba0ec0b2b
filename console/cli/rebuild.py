"""Makes anew what is kept of the topics: the read models."""

from __future__ import annotations

import os
import socket

import typer

from agents.clock import utc_now
from console.cli.context import SERVERS, Session, in_session
from console.cli.progress import bar
from console.cli.terminal import PROBLEM, AsJson, err, fail, show_json, show_text
from console.control import rebuilds
from console.control.rebuilds import RebuildWork
from store.rebuilds import RebuildRow, ReplacedDay

commands = typer.Typer()
rebuild_app = typer.Typer(no_args_is_help=True, help="Make anew what is kept of the topics: the read models.")
commands.add_typer(rebuild_app, name="rebuild")


@rebuild_app.command("read-models")
def read_models(as_json: AsJson = False) -> None:
    """Make the read models anew from Kafka, while the old ones are read and recorders go on.

    Only days that the topics still hold whole are replaced. Begun again after it was killed, it begins from nothing.
    Where one is under way, its end is waited for.
    """
    done = in_session(_made, *SERVERS)
    if as_json:
        show_json(done)
    else:
        _show(done)
    if done.state != "done":
        raise typer.Exit(PROBLEM)


async def _made(opened: Session) -> RebuildRow:
    project_id = opened.wiring.default_project
    one = await rebuilds.begin_or_join(opened.pool, project_id, actor=opened.actor)
    owner, shown = f"{socket.gethostname()}-{os.getpid()}-{one.rebuild_id}", set[ReplacedDay]()
    with bar("reading", 1) as reading:

        def see(now: RebuildRow) -> None:
            reading.at(now.waits or now.state, now.read / max(now.to_read, now.read, 1))
            for day in now.replaced:
                if day not in shown:
                    shown.add(day)
                    err.print(_line(day), markup=False)

        work = RebuildWork(opened.pool, opened.wiring, owner, utc_now)
        done = await work.see_through(one, see, project_id=project_id, actor=opened.actor)
        see(done)
    return done


def _line(one: ReplacedDay) -> str:
    rows = f"{one.decisions} decisions, {one.statuses} ends of deliveries, {one.purchases} purchases"
    return f"{one.day} is replaced: {rows}"


def _show(done: RebuildRow) -> None:
    if done.state != "done":
        fail(f"{done.rebuild_id} is {done.state}{f': {done.why}' if done.why else ''}")
    show_text(f"{len(done.replaced)} days are replaced, from {done.read} records")
    if done.kept:
        show_text(f"{len(done.kept)} days stay as they were: the topics do not hold them whole")
    if done.unreadable:
        show_text(f"{done.unreadable} records could not be read: see tidings dead-letters list")
