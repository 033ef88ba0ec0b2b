"""A distribution's messages for one event, shown word for word."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.markup import escape

from agents.clock import utc_now
from agents.wiring import Wiring
from channels.accounts import Place
from console.cli import terminal
from console.cli.context import Session, in_session, load_wiring, project_of, read_settings, wiring_of
from console.cli.terminal import AsJson, fail, must_exist, show_json, show_text, warn
from console.cli.trying import At, InCampaigns, json_object, known_to_files, moment_of, only_with_files
from console.control.events import customer_of
from console.control.explain import stored_profile
from console.control.files.documents import ENDINGS, read_documents
from console.control.preview import messages
from console.control.preview.mailboxes import Mailbox, named_mailboxes, own_mailboxes
from console.control.preview.messages import Candidate, Preview, Previewed, Rendering
from console.control.preview.samples import named_accounts, with_stand_ins
from schemas.closed import CHANNELS
from schemas.errors import BadRecord, TidingsError
from schemas.record import JsonObject
from streams.events import read_customer
from streams.upstream import unwrapped

commands = typer.Typer()


@commands.command("preview")
def preview_command(
    what: Annotated[str, typer.Argument(metavar="FILE|ID", help="A distribution: a file, or one that is applied.")],
    sample: Annotated[bool, typer.Option("--sample", help="On the sample of its event type; the default.")] = False,
    event: Annotated[Path | None, typer.Option("--event", help="A file with one event as JSON.")] = None,
    customer: Annotated[Path | None, typer.Option("--customer", help="A file with the profile that counts.")] = None,
    campaigns: InCampaigns = None,
    at: At = None,
    channel: Annotated[str | None, typer.Option("--channel", help="One channel alone.")] = None,
    arm: Annotated[str | None, typer.Option("--arm", help="One arm, in place of the customer's own.")] = None,
    raw: Annotated[bool, typer.Option("--raw", help="The bytes as they are sent, and nothing else.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show messages word for word: bodies, headers, subjects, texts. Nothing is sent; a file needs no servers."""
    if sample and event:
        raise typer.BadParameter("give --sample or --event, not both")
    if channel not in (None, *CHANNELS):
        raise typer.BadParameter(f'--channel: "{channel}" is not valid: must be one of {", ".join(CHANNELS)}')
    must_exist([file for file in (event, customer) if file])
    is_file = Path(what).suffix in ENDINGS or Path(what).is_dir()
    only_with_files(campaigns, is_file=is_file)
    own: Mapping[Place, Mailbox] = {}
    if is_file:
        wiring, candidates = of_file(Path(what), campaigns)
    else:
        wiring, candidates, own = _of_store(what, needs_kafka=bool(event and not customer))
    given = None if event is None else unwrapped(json_object(event), (), wiring.project)
    profile = _profile_of(event, given, customer, wiring, is_file=is_file)
    candidates = [one.in_arm(arm) for one in candidates] if arm else candidates
    rules, zone = [one.distribution for one in candidates], wiring.settings.zone
    rendering, now = Rendering.of(wiring.settings, own), moment_of(at, rules, zone)
    found = [
        messages.preview(one, given or _sample(one, wiring, profile), profile, rendering, now, channel)
        for one in candidates
    ]
    for previewed in found:
        _show(previewed, raw=raw, as_json=as_json)
    if any(message.failure for previewed in found for message in previewed.messages):
        sys.exit(terminal.PROBLEM)


def of_file(file: Path, campaigns: Path | None) -> tuple[Wiring, list[Candidate]]:
    """The distributions of a file, or of those in a folder, with samples where the settings lack what they need."""
    must_exist([file])
    documents = read_documents([file])
    settings, notes = with_stand_ins(read_settings(), documents)
    for note in notes:
        warn(note)
    wiring, now = wiring_of(settings), utc_now()
    project = asyncio.run(project_of(wiring)).with_accounts(named_accounts(documents))
    known = asyncio.run(known_to_files(wiring, project, campaigns, now))
    return wiring, messages.from_documents(documents, project, known, now)


def _of_store(identity: str, *, needs_kafka: bool) -> tuple[Wiring, list[Candidate], Mapping[Place, Mailbox]]:
    """One that is applied, and the mailboxes of its project that it leaves from."""
    wiring = load_wiring() if needs_kafka else load_wiring("postgres")
    candidate, own = in_session(partial(_applied, identity=identity))
    return wiring, [candidate], own


async def _applied(opened: Session, identity: str) -> tuple[Candidate, Mapping[Place, Mailbox]]:
    found = await messages.from_store(opened.pool, opened.project_id, identity)
    names, settings = named_mailboxes(found.distribution), opened.wiring.settings
    return found, await own_mailboxes(opened.pool, settings, opened.project_id, names)


def _sample(one: Candidate, wiring: Wiring, profile: JsonObject | None) -> JsonObject:
    return messages.sample_event(one.distribution, wiring.project, profile)


def _profile_of(
    event: Path | None, given: JsonObject | None, customer: Path | None, wiring: Wiring, *, is_file: bool
) -> JsonObject | None:
    """The profile that counts: the one given, else for what is applied that of the event's customer as it is stored."""
    if customer is None:
        return _stored_profile(given, wiring) if given and not is_file else None
    profile = read_profile(customer, wiring.project)
    if given and profile["id"] != customer_of(given):
        raise TidingsError(f"{event} is about customer {customer_of(given)}, {customer} is {profile['id']}")
    return profile


def _stored_profile(given: JsonObject, wiring: Wiring) -> JsonObject | None:
    return stored_profile(wiring, str(given.get("project_id") or wiring.project), customer_of(given))


def read_profile(file: Path, project_id: str) -> JsonObject:
    """The customer's profile in a file. Raises TidingsError."""
    profile = json_object(file)
    try:
        return read_customer(profile, str(profile.get("id", "")).encode(), project_id)
    except BadRecord as error:
        raise TidingsError(f"{file} is not a customer: {error}") from error


# -- how it is shown ----------------------------------------------------------------------------------------------


def _show(found: Previewed, *, raw: bool, as_json: bool) -> None:
    if raw:
        for message in found.messages:
            if message.failure:
                fail(message.failure)
        _show_raw([message for message in found.messages if not message.failure])
    elif as_json:
        show_json(_as_json(found))
    else:
        _show_words(found)


def _as_json(found: Previewed) -> JsonObject:
    made = [
        {"channel": one.channel, "to": one.to, **one.facts, **({"failure": one.failure} if one.failure else {})}
        for one in found.messages
    ]
    return {
        "distribution": found.distribution.id,
        "event": found.event,
        "withheld": found.withheld,
        "messages": made,
        **({"notes": list(found.notes)} if found.notes else {}),
    }


def _show_raw(made: Sequence[Preview]) -> None:
    """The bytes alone, of one message; of several each with a line end after it."""
    sys.stdout.flush()
    for message in made:
        sys.stdout.buffer.write(message.raw + (b"\n" if len(made) > 1 else b""))
    sys.stdout.buffer.flush()


def _show_words(found: Previewed) -> None:
    rule = found.distribution
    show_text(f"[bold]{escape(rule.id)}[/bold]  {rule.trigger.event}  event {escape(found.event)}")
    if found.withheld:
        show_text(f"[yellow]![/yellow] as it stands, this event sends nothing: {escape(found.withheld)}")
    for note in found.notes:
        show_text(f"[yellow]![/yellow] {escape(note)}")
    if rule.publish:
        show_text("[dim]code and publication are examples: a code is drawn only when one is sent[/dim]")
    for message in found.messages:
        _show_message(message)


def _show_message(message: Preview) -> None:
    show_text(f"\n[bold]{message.channel}[/bold]  {escape(message.to)}")
    if message.failure is not None:
        show_text(f"  [red]✗[/red] {escape(message.failure)}")
    elif "headers" in message.facts:
        for name, value in message.facts["headers"].items():
            show_text(f"  {escape(name)}: {escape(value)}")
        if signed := message.facts["signed"]:
            show_text(f"  [dim]and at each attempt {', '.join(signed)}[/dim]")
        body = message.facts["body"]
        _write(body if isinstance(body, str) else msgspec.json.format(message.raw, indent=2).decode())
    elif "parts" in message.facts:
        show_text(f"  [dim]{escape(message.facts['said'])}[/dim]\n")
        _write(message.facts["text"])
    else:
        show_text(f"  From: {escape(message.facts['from'])}\n  Subject: {escape(message.facts['subject'])}\n")
        _write(message.facts.get("text", ""))
        if "html" in message.facts:
            size = len(message.facts["html"])
            show_text(f"  [dim]and {size} characters of HTML; --raw shows the whole mail[/dim]")
        for file in message.facts.get("attachments", ()):
            where = f"fetched when it is sent from {file['url']}" if "url" in file else f"{file['bytes']:,} bytes"
            show_text(f"  [dim]and {escape(file['name'])}, {escape(where)}[/dim]")


def _write(text: str) -> None:
    """As it is: no markup, no wrapping."""
    sys.stdout.write(text.rstrip("\n") + "\n")
