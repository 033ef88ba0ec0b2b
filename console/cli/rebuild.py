"""Makes anew what is kept of the topics: the read models."""

from __future__ import annotations

import typer

from console.cli.context import SERVERS, Session, in_session
from console.cli.terminal import AsJson, err, show_json, show_text
from console.control.rebuild import rebuild_read_models

commands = typer.Typer()
rebuild_app = typer.Typer(no_args_is_help=True, help="Make anew what is kept of the topics: the read models.")
commands.add_typer(rebuild_app, name="rebuild")


@rebuild_app.command("read-models")
def read_models(as_json: AsJson = False) -> None:
    """Make the read models anew from Kafka, while the old ones are read and recorders go on.

    Only days that the topics still hold whole are replaced. Begun again after it was killed, it begins from nothing.
    """

    async def make(opened: Session) -> None:
        done = await rebuild_read_models(
            opened.pool,
            opened.wiring,
            actor=opened.actor,
            now=opened.now,
            on_progress=lambda said: err.print(said, markup=False),
        )
        if as_json:
            show_json(done)
            return
        show_text(f"{len(done.replaced)} days are replaced, from {done.read} records")
        if done.kept:
            show_text(f"{len(done.kept)} days stay as they were: the topics do not hold them whole")
        if done.unreadable:
            show_text(f"{done.unreadable} records could not be read: see tidings dead-letters list")

    in_session(make, *SERVERS)
