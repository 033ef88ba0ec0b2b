"""Records that could not be processed: what they are, and putting them back."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.markup import escape

from agents.broker.reader import TopicReader
from console.cli.context import SERVERS, Session, in_session, load_wiring
from console.cli.terminal import AsJson, fail, must_exist, show_json, show_rows, show_text
from console.cli.trying import json_object
from console.control import dead_letters as letters
from console.control import mending
from console.control.dead_letters import Filter, Letter, Replay, Replayed
from console.control.mending import FieldChange
from schemas.errors import TidingsError
from schemas.topics import DEAD_LETTERS

commands = typer.Typer()
dead_app = typer.Typer(no_args_is_help=True, help="Records that could not be processed.")
commands.add_typer(dead_app, name="dead-letters")

OfKind = Annotated[str | None, typer.Option("--kind", help="undecodable, too_large, invalid_event and so on.")]
OfTopic = Annotated[str | None, typer.Option("--topic", help="Where they were read, without prefix.")]
OfRole = Annotated[str | None, typer.Option("--role", help="Which role refused them.")]
After = Annotated[str | None, typer.Option("--after", help="Those behind this place, as in 0:17.")]
Since = Annotated[str | None, typer.Option("--since", help="Refused since then, as in 2026-11-24T08:00Z.")]


@dead_app.command("list")
def dead_list(
    limit: Annotated[int, typer.Option(help="The newest so many.")] = 50,
    kind: OfKind = None,
    topic: OfTopic = None,
    role: OfRole = None,
    after: After = None,
    since: Since = None,
    as_json: AsJson = False,
) -> None:
    """The newest dead-letters; the place in front is what `show` and `replay` take."""
    wanted = Filter(kind, topic, role, after, _moment(since))
    with TopicReader(load_wiring("kafka"), DEAD_LETTERS) as reader:
        rows = deque(map(_row, letters.select(reader, wanted)), maxlen=limit)
    show_rows(("place", "topic", "record", "kind", "message", "failed at"), rows, as_json=as_json)


@dead_app.command("show")
def dead_show(place: Annotated[str, typer.Argument(metavar="PARTITION:OFFSET", help="As `list` shows it.")]) -> None:
    """One dead-letter: where it came from, what was wrong, its headers and its bytes."""
    with TopicReader(load_wiring("kafka"), DEAD_LETTERS) as reader:
        letter = letters.find(reader, place)
    raw = letter.message.value() or b""
    show_json(
        {
            "place": letter.place,
            "key": _shown(letter.message.key()),
            "headers": [(name, _shown(value)) for name, value in letter.own_headers()],
            "facts": letter.facts,
            "bytes": len(raw),
        }
    )
    sys.stdout.write(raw[:4000].decode(errors="backslashreplace") + "\n")


@dead_app.command("replay")
def dead_replay(
    places: Annotated[list[str] | None, typer.Argument(metavar="[PARTITION:OFFSET]...", help="As in `list`.")] = None,
    kind: OfKind = None,
    topic: OfTopic = None,
    role: OfRole = None,
    after: After = None,
    since: Since = None,
    everything: Annotated[bool, typer.Option("--all", help="All that there are.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also where the key has a newer record by now.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put dead-letters back where they came from, as they were: for after the cause was mended.

    Named by their places, or by what they have in common. To replay one twice is harmless: its event has the same id.
    """
    wanted = Filter(kind, topic, role, after, _moment(since))
    if bool(places) == (wanted != Filter() or everything):
        raise typer.BadParameter("name places, or a filter, or --all")
    wiring, refused = load_wiring("kafka"), 0
    with TopicReader(wiring, DEAD_LETTERS) as reader:
        chosen = [letters.find(reader, one) for one in places] if places else letters.select(reader, wanted)
        for one in Replay(wiring, force=force).run(chosen, dry_run=dry_run):
            refused += bool(one.why_not)
            if as_json:
                show_json(one)
            else:
                _show(one, dry_run=dry_run)
    if refused:
        raise TidingsError(f"{refused} not replayed")


@dead_app.command("mend")
def dead_mend(
    place: Annotated[str, typer.Argument(metavar="PARTITION:OFFSET", help="As `list` shows it.")],
    file: Annotated[Path, typer.Argument(help="A file with the corrected value as JSON, whole.")],
    force: Annotated[bool, typer.Option("--force", help="Also where the key has a newer record by now.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check it, and show what differs.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put a corrected value where the record was, with its key and headers, once its readers take it.

    What differs is shown; the dead-letter stays as it is. Of events and profiles alone.
    """
    must_exist([file])
    value = json_object(file)

    async def mend(opened: Session) -> tuple[Replayed, list[FieldChange]]:
        wiring = opened.wiring
        with TopicReader(wiring, DEAD_LETTERS) as reader:
            letter = letters.find(reader, place)
        made = mending.mended(wiring, letter, value, wiring.settings.matcher, opened.now)
        changes = mending.differences(wiring, letter, value)
        end = await asyncio.to_thread(mending.put_back, wiring, made, force=force, dry_run=dry_run)
        if end.now_at:
            await mending.note(opened.pool, opened.project_id, letter, changes, opened.actor)
        return end, changes

    end, changes = in_session(mend, *SERVERS)
    if as_json:
        sides = ({"before": one.before, "after": one.after} for one in changes)
        known = [{name: value for name, value in one.items() if value is not msgspec.UNSET} for one in sides]
        named = [{"path": ".".join(one.steps), **both} for one, both in zip(changes, known, strict=True)]
        show_json({**asdict(end), "changes": named})
    else:
        for one in changes:
            show_text(escape(f"{'.'.join(one.steps) or 'all of it'}: {_side(one.before)} → {_side(one.after)}"))
        _show(end, dry_run=dry_run)
    if end.why_not:
        raise TidingsError("not mended")


def _side(value: object) -> str:
    return "nothing" if value is msgspec.UNSET else msgspec.json.encode(value).decode()


def _show(one: Replayed, *, dry_run: bool) -> None:
    if one.why_not:
        fail(f"{one.place} not replayed to {one.source}: {one.why_not}")
        return
    note = f" ({one.note})" if one.note else ""
    line = f"would replay {one.place} from {one.source}" if dry_run else f"replayed {one.place} as {one.now_at}"
    show_text(escape(line + note))


def _row(letter: Letter) -> tuple[object, ...]:
    facts = letter.facts
    return letter.place, facts.topic, f"{facts.partition}@{facts.offset}", facts.kind, facts.message, facts.failed_at


def _shown(raw: bytes | None) -> str | None:
    return None if raw is None else raw[:4000].decode(errors="backslashreplace")


def _moment(since: str | None) -> datetime | None:
    if since is None:
        return None
    try:
        moment = datetime.fromisoformat(since)
    except ValueError as error:
        raise typer.BadParameter(f'--since: "{since}" is not a time; as in 2026-11-24T08:00Z') from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
