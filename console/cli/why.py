"""What happens and why: simulate, why, tail, and publishing events to see it."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.markup import escape

from agents.broker.reader import TopicReader
from agents.clock import utc_now
from agents.wiring import Wiring
from console.cli import terminal
from console.cli.context import database, load_wiring, read_settings
from console.cli.distributions import current_distributions
from console.cli.terminal import AsJson, fail, must_exist, say, show_json, show_rows
from console.control import distributions as applying
from console.control import explain
from console.control.events import publish_file
from console.control.files.campaigns import CampaignFiles
from console.control.files.documents import ENDINGS
from console.control.preview import messages as previewing
from console.control.preview.stand_ins import with_stand_ins
from schemas.closed import CHANNELS
from schemas.distribution import Distribution
from schemas.errors import BadRecord, TidingsError
from schemas.events.triggers import TRIGGERS
from schemas.formats.blank import trimmed
from schemas.formats.days import read_moment
from schemas.names import did_you_mean
from schemas.wire.json_text import decode_json
from store.campaigns import Campaigns
from store.templates import NamedTemplates
from streams.channels.template_files import TemplateFiles
from streams.events import read_customer
from streams.upstream import unwrapped

commands = typer.Typer()

InCampaigns = Annotated[
    Path | None,
    typer.Option(
        "--campaigns",
        metavar="FOLDER",
        help="Campaign files that distributions in files may name, and no others. Default: those applied, where a "
        "database is known, and those in campaigns/ beside the file or one folder up.",
    ),
]

At = Annotated[
    str | None,
    typer.Option(
        "--at",
        metavar="MOMENT",
        help="Judge as at this moment: 2026-12-24T09:00:00+01:00, without an offset in the project's timezone, or a "
        "date for its noon there. Default: now.",
    ),
]
_NOON = timedelta(hours=12)


def _moment_of(at: str | None, wiring: Wiring) -> datetime:
    if at is None:
        return utc_now()
    moment = read_moment(at, wiring.settings.zone)
    if moment is None or not datetime(1900, 1, 1, tzinfo=UTC) < moment < datetime(9000, 1, 1, tzinfo=UTC):
        raise typer.BadParameter(f'--at: "{at}" is not a moment, as in 2026-12-24T09:00:00+01:00 or 2026-12-24')
    return moment + _NOON if len(trimmed(at)) == len("2026-12-24") else moment


@commands.command("simulate")
def simulate_command(
    event: Annotated[Path, typer.Option("--event", help="A file with one event as JSON.")],
    files: Annotated[list[Path] | None, typer.Argument(help="Distributions to try instead of those applied.")] = None,
    campaigns: InCampaigns = None,
    at: At = None,
    as_json: AsJson = False,
) -> None:
    """What an event would cause, with every test that is made. Nothing is sent; with files it needs no servers."""
    must_exist([event, *(files or ())])
    _only_with_files(campaigns, is_file=bool(files))
    wiring = Wiring(read_settings()) if files else load_wiring()
    decoded = unwrapped(decode_json(event.read_bytes()), (), wiring.project)
    rules = asyncio.run(_rules_from(files, wiring, campaigns) if files else current_distributions())
    customer = _customer_of(decoded)
    project = str(decoded.get("project_id") or "")
    profile = explain.stored_profile(wiring, customer, project) if customer and not files else None
    now, zone = _moment_of(at, wiring), wiring.settings.zone
    read, explained = explain.simulate(decoded, rules, profile, now, zone)
    if as_json:
        show_json(explained)
    else:
        explain.show_simulation(read, explained)


async def _rules_from(files: list[Path], wiring: Wiring, campaigns: Path | None) -> list[Distribution]:
    offered, templates = await _named(wiring, campaigns)
    return [definition.distribution for _, definition in applying.check_files(files, wiring, {}, offered, templates)]


async def _named(wiring: Wiring, campaigns: Path | None) -> tuple[CampaignFiles, dict[str, TemplateFiles]]:
    """What distributions in files may name that does not stand in them: in files, and in the database if one is known.

    Raises TryLater.
    """
    project_id, zone = wiring.project, wiring.settings.zone
    if not wiring.settings.postgres.dsn.reveal():
        return CampaignFiles(project_id, None, campaigns, zone=zone), {}
    async with database(wiring) as pool:
        applied = None if campaigns else await Campaigns(pool).current(project_id)
        templates = await applying.stored_templates(project_id, NamedTemplates(pool))
    return CampaignFiles(project_id, applied, campaigns, zone=zone), templates


def _only_with_files(campaigns: Path | None, *, is_file: bool) -> None:
    if campaigns is not None:
        must_exist([campaigns])
        if not is_file:
            raise typer.BadParameter("--campaigns goes with distributions in files; what is applied has its campaign")


@commands.command("preview")
def preview_command(
    what: Annotated[str, typer.Argument(metavar="FILE|ID", help="A distribution: a file, or one that is applied.")],
    sample: Annotated[bool, typer.Option("--sample", help="On the sample of its event type; the default.")] = False,
    event: Annotated[Path | None, typer.Option("--event", help="A file with one event as JSON.")] = None,
    customer: Annotated[Path | None, typer.Option("--customer", help="A file with the profile that counts.")] = None,
    campaigns: InCampaigns = None,
    at: At = None,
    channel: Annotated[str | None, typer.Option("--channel", help="webhook or email alone.")] = None,
    raw: Annotated[bool, typer.Option("--raw", help="The bytes as they are sent, and nothing else.")] = False,
    as_json: AsJson = False,
) -> None:
    """What would be sent, word for word: bodies, headers, subjects, texts. Nothing is sent; a file needs no servers."""
    if sample and event:
        raise typer.BadParameter("give --sample or --event, not both")
    if channel not in (None, *CHANNELS):
        raise typer.BadParameter(f'--channel: "{channel}" is none of {", ".join(CHANNELS)}')
    must_exist([file for file in (event, customer) if file])
    is_file = Path(what).suffix in ENDINGS or Path(what).is_dir()
    _only_with_files(campaigns, is_file=is_file)
    if is_file:
        must_exist([Path(what)])
        settings, stood_in = with_stand_ins(read_settings(), [Path(what)])
        for line in stood_in:
            terminal.warn(line)
        wiring = Wiring(settings)
        candidates = previewing.from_files([Path(what)], wiring, *asyncio.run(_named(wiring, campaigns)))
    else:
        wiring = load_wiring() if event and not customer else load_wiring("postgres")
        candidates = [asyncio.run(previewing.from_store(what, wiring))]
    given = None if event is None else unwrapped(_json_object(event), (), wiring.project)
    profile = None if customer is None else _profile(customer, wiring.project)
    if given and not is_file and profile is None:
        profile = explain.stored_profile(wiring, _customer_of(given), str(given.get("project_id") or ""))
    if given and customer and profile and profile["id"] != _customer_of(given):
        raise TidingsError(f"{event} is about customer {_customer_of(given)}, {customer} is {profile['id']}")
    failed, now = False, _moment_of(at, wiring)
    for one in candidates:
        chosen = given or previewing.sample_event(one.distribution, wiring.project, profile)
        found = previewing.preview(one, chosen, profile, wiring, now, channel)
        failed |= any(message.failure for message in found.messages)
        _show_preview(found, raw=raw, as_json=as_json)
    if failed:
        sys.exit(terminal.PROBLEM)


def _show_preview(found: previewing.Previewed, *, raw: bool, as_json: bool) -> None:
    if raw:
        for message in found.messages:
            if message.failure:
                fail(message.failure)
        previewing.show_raw([message for message in found.messages if not message.failure])
    elif as_json:
        show_json(previewing.as_json(found))
    else:
        previewing.show(found)


def _profile(file: Path, project_id: str) -> dict[str, Any]:
    profile = _json_object(file)
    try:
        return read_customer(profile, str(profile.get("id", "")).encode(), project_id)
    except BadRecord as error:
        raise TidingsError(f"{file} is no customer: {error}") from error


def _json_object(file: Path) -> dict[str, Any]:
    found = decode_json(file.read_bytes())
    if not isinstance(found, dict):
        raise TidingsError(f"{file} holds no JSON object")
    return found


def _customer_of(event: dict[str, Any]) -> str:
    data = event.get("data")
    customer = data.get("customer") if isinstance(data, dict) else None
    return str(customer.get("id", "")) if isinstance(customer, dict) else ""


@commands.command("sample")
def sample_command(
    event: Annotated[
        str | None, typer.Argument(metavar="TYPE", help="An event type; without one, all are listed.")
    ] = None,
) -> None:
    """Print a valid event of a type, to try a distribution on or to publish."""
    if event is None:
        show_rows(("type", "topic"), [(one.type, one.topic) for one in TRIGGERS.values()], as_json=False)
        return
    if event not in TRIGGERS:
        raise TidingsError(f"no event type {event}.{did_you_mean(event, TRIGGERS)} tidings sample lists them")
    now = utc_now()
    sample = TRIGGERS[event].sample(project_id=read_settings().project_id, event_id=f"ev_sample_{now:%Y%m%d%H%M%S%f}")
    show_json({**sample, "created_at": now})


@commands.command("why")
def why_command(
    who: Annotated[str, typer.Argument(metavar="CUSTOMER|DELIVERY", help="A customer's id, or a delivery id.")],
    distribution: Annotated[str | None, typer.Option(help="Only this distribution.")] = None,
    as_json: AsJson = False,
) -> None:
    """What was decided about a customer, and what became of each delivery."""
    found = asyncio.run(explain.story(load_wiring(), who, distribution))
    if as_json:
        show_json(explain.story_json(found))
    elif found.decisions or found.deliveries or found.dead_letters or found.unjudged:
        explain.show_story(found)
    else:
        say(f"nothing is known about {escape(who)}: no distribution fitted an event of theirs. Try: tidings simulate")


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


@commands.command("publish")
def publish_command(
    file: Annotated[Path, typer.Argument(help="One JSON event a line.")],
    customers: Annotated[bool, typer.Option("--customers", help="The lines are customer profiles.")] = False,
) -> None:
    """Publish events into their topics. Lines that are not valid are named and left out."""
    must_exist([file])
    published = asyncio.run(publish_file(file, load_wiring("kafka"), customers=customers))
    for topic, count in published.topics.items():
        say(f"{count:>8}  {topic}")
    for problem in published.problems:
        fail(problem)
    if published.problems:
        sys.exit(terminal.PROBLEM)
