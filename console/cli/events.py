"""Records on topics: samples of events, publishing them, and what goes by."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from agents.broker.reader import TopicReader
from agents.clock import utc_now
from console.cli import terminal
from console.cli.context import load_wiring, read_settings, wiring_of
from console.cli.terminal import fail, must_exist, show_json, show_rows, show_text
from console.control import events
from schemas.errors import BadRecord
from schemas.events.triggers import TRIGGERS

commands = typer.Typer()


@commands.command("sample")
def sample_command(
    event: Annotated[
        str | None, typer.Argument(metavar="TYPE", help="An event type; without one, all are listed.")
    ] = None,
) -> None:
    """Print a valid event of a type, to try a distribution on or to publish."""
    if event is None:
        show_rows(("type", "topic"), [(one.type, one.topic) for one in TRIGGERS.values()], as_json=False)
    else:
        show_json(events.sample(event, wiring_of(read_settings()).project, utc_now()))


@commands.command("publish")
def publish_command(
    file: Annotated[Path, typer.Argument(help="One JSON event a line.")],
    customers: Annotated[bool, typer.Option("--customers", help="The lines are customer profiles.")] = False,
) -> None:
    """Publish events into their topics. Lines that are not valid are named and left out."""
    must_exist([file])
    wiring = load_wiring("kafka")
    settings = wiring.settings
    reading = events.Reading(wiring.project, settings.matcher.max_future, utc_now(), customers)
    with file.open("rb") as lines:
        published = asyncio.run(events.publish_lines(wiring, lines, reading))
    for topic, count in published.topics.items():
        show_text(f"{count:>8}  {topic}")
    for problem in published.problems:
        fail(f"{file}:{problem.line}  {problem.reason}")
    if published.problems:
        sys.exit(terminal.PROBLEM)


@commands.command("tail")
def tail_command(
    topic: Annotated[str, typer.Argument(help="Without prefix, as in deliveries.email.")],
    from_start: Annotated[bool, typer.Option("--from-start", help="What is there now, then end.")] = False,
    limit: Annotated[int, typer.Option(help="Records at most; 0 is no limit.")] = 0,
) -> None:
    """Print a topic's records as JSON lines, whatever their encoding."""
    with TopicReader(load_wiring("kafka"), topic) as reader:
        messages = reader.until_now() if from_start else reader.from_now()
        for number, message in enumerate(messages, 1):
            _print_record(reader, message)
            if number == limit:
                return


def _print_record(reader: TopicReader, message: Any) -> None:
    head = {
        "partition": message.partition(),
        "offset": message.offset(),
        "key": (message.key() or b"").decode(errors="replace"),
    }
    if message.value() is None:
        show_json({**head, "value": None})
        return
    try:
        show_json({**head, "value": reader.decode(message)})
    except (BadRecord, msgspec.ValidationError) as error:
        show_json({**head, "undecodable": str(error)})
