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
from console.cli.context import Session, in_session, load_wiring, read_settings, wiring_of
from console.cli.terminal import fail, must_exist, show_json, show_rows, show_text
from console.control import events
from schemas.errors import BadRecord
from schemas.events.triggers import TRIGGERS
from schemas.record import JsonObject

commands = typer.Typer()


@commands.command("sample")
def sample_command(
    event: Annotated[
        str | None, typer.Argument(metavar="TYPE", help="An event type; without one, all are listed.")
    ] = None,
    distribution: Annotated[
        str, typer.Option(metavar="ID", help="One that it sends: of its trigger's type, about what that names.")
    ] = "",
    customer: Annotated[str, typer.Option(metavar="ID", help="Whom it is about, whose kept profile counts.")] = "",
) -> None:
    """Print a valid event of a type, to try a distribution on or to publish."""
    if event and distribution:
        raise typer.BadParameter("name an event type, or a distribution")
    if distribution:
        show_json(events.as_new(in_session(lambda opened: _sample_for(opened, distribution)), utc_now(), customer))
    elif event:
        show_json(events.sample(event, wiring_of(read_settings()).project, utc_now(), customer))
    else:
        show_rows(("type", "topic"), [(one.type, one.topic) for one in TRIGGERS.values()], as_json=False)


async def _sample_for(opened: Session, distribution: str) -> JsonObject:
    from console.control.preview.messages import from_store, sample_event  # with all that renders messages

    found = await from_store(opened.pool, opened.project_id, distribution)
    return sample_event(found.distribution, opened.project_id)


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
