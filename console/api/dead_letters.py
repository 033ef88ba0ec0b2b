"""Records that could not be processed, over HTTP: list, show, mend, put back where they came from.

They are read from Kafka in threads of their own, few at once: none of it holds the others who ask. A key sees those of
its project alone: whose record's key says so, and whose value names no other one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from agents.broker.reader import TopicReader
from console.api.events import EXAMPLE
from console.api.pages import next_cursor, read_cursor
from console.api.problems import Detail, in_body, in_parameter, refused
from console.api.route import MOST_BYTES, ById, Call, Name, Paged, Reply, Route, Writing
from console.control import dead_letters as control
from console.control import mending
from console.control.dead_letters import Filter, Place, Replay
from console.control.own_dead_letters import OwnLetters, text_of
from schemas.dead_letter import DeadLetter
from schemas.errors import BadRecord, DefinitionInvalid, TidingsError
from schemas.formats.pointers import pointer_of, pointer_to
from schemas.record import JsonObject

MOST_PLACES = 100
_NOT_KEPT = {"cache-control": "no-store"}

Places = Annotated[
    list[Annotated[str, Meta(max_length=40, description="As the list has it: 0:17.")]],
    Meta(min_length=1, max_length=MOST_PLACES),
]


class LetterListing(Paged, frozen=True, kw_only=True):
    """The parameters of a list of dead-letters."""

    kind: Annotated[Name, Meta(description="undecodable, too_large, invalid_event and so on.")] | None = None
    topic: Annotated[Name, Meta(description="Where they were read, without prefix.")] | None = None
    role: Annotated[Name, Meta(description="Which role refused them.")] | None = None
    since: Annotated[datetime, Meta(tz=True, description="Refused since then.")] | None = None


class LetterSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A dead-letter: its place, and where its record came from and what was wrong with it."""

    place: str
    facts: DeadLetter


class LetterPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some of the newest 1,000 of each partition, by partition and offset."""

    items: list[LetterSummary]
    next: str | None = None


class ShownLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A dead-letter with its record's key, headers, and the first 4,000 bytes; what is not UTF-8 is written out."""

    place: str
    facts: DeadLetter
    key: str | None
    headers: list[tuple[str, str | None]]
    value: str
    bytes: int


class LettersToReplay(msgspec.Struct, frozen=True, kw_only=True):
    """The places of dead-letters to put back; `force`: also where the key has a newer record by now."""

    places: Places
    force: bool = False


class LetterReplayed(msgspec.Struct, frozen=True, kw_only=True):
    """The end of one: the new place of its record, or why it was not written."""

    place: str
    source: str
    now_at: str | None
    why_not: str
    note: str


class LettersReplayed(msgspec.Struct, frozen=True, kw_only=True):
    """Each with what became of it, in the order in which they were named."""

    replayed: list[LetterReplayed]
    dry_run: bool


class LetterToMend(msgspec.Struct, frozen=True, kw_only=True):
    """The corrected value of a record, whole; `force`: also where the key has a newer record by now."""

    value: Annotated[JsonObject, Meta(description="An event, or a profile, as its topic has them.")]
    force: bool = False


class ChangedField(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A field that differs, as a JSON pointer into the record. What is not there on one side is left out."""

    pointer: str
    before: Any = msgspec.UNSET
    after: Any = msgspec.UNSET


class MendedLetter(msgspec.Struct, frozen=True, kw_only=True):
    """A dead-letter with its corrected value: where that is now, or why it was not written, and what differs.

    Of a record that cannot be read all differs. What the fields say is in the first reply alone: where the same is
    asked again with its Idempotency-Key, they are named.
    """

    place: str
    source: str
    now_at: str | None
    why_not: str
    note: str
    changes: list[ChangedField]
    dry_run: bool


async def list_dead_letters(call: Call[Any, LetterListing, None]) -> Reply:
    """A page of them."""
    asked, after = call.query, read_cursor(call.query.cursor, Place)
    wanted = Filter(asked.kind, asked.topic, asked.role, None, asked.since)

    found = await _own(call).page(wanted, after, asked.limit + 1)
    page, following = next_cursor(found, asked.limit, lambda one: control.place_of(one.place))
    rows = [LetterSummary(place=one.place, facts=one.facts) for one in page]
    return Reply(LetterPage(items=rows, next=following))


async def get_dead_letter(call: Call[ById, Any, None]) -> Reply:
    """One of them, whole."""
    _must_be_places([call.path.id], lambda _, said: in_parameter("id", said))
    own = _own(call)
    one = await own.reading(lambda reader: own.find(reader, call.path.id))
    raw = one.message.value() or b""
    shown = ShownLetter(
        place=one.place,
        facts=one.facts,
        key=text_of(one.message.key()),
        headers=[(name, text_of(value)) for name, value in one.own_headers()],
        value=text_of(raw) or "",
        bytes=len(raw),
    )
    return Reply(shown)


async def replay_dead_letters(call: Call[Any, Writing, LettersToReplay]) -> Reply:
    """Put some back."""
    asked, dry_run, own = call.body, call.query.dry_run, _own(call)
    _must_be_places(asked.places, lambda number, said: in_body(f"/places/{number}", said))

    def replay(reader: TopicReader) -> list[LetterReplayed]:
        chosen = [own.find(reader, one) for one in asked.places]
        ends = Replay(call.wiring, force=asked.force).run(chosen, dry_run=dry_run)
        return [LetterReplayed(**asdict(one)) for one in ends]

    replayed = await own.reading(replay)
    await control.note_replay(call.pool, call.project_id, [one.place for one in replayed if one.now_at], call.actor)
    return Reply(LettersReplayed(replayed=replayed, dry_run=dry_run))


async def mend_dead_letter(call: Call[ById, Writing, LetterToMend]) -> Reply:
    """Check the corrected value as its readers do, and put it where the record was."""
    asked, dry_run, own = call.body, call.query.dry_run, _own(call)
    _must_be_places([call.path.id], lambda _, said: in_parameter("id", said))

    try:
        letter, end, changes = await mending.mend(
            own, call.path.id, asked.value, call.now, force=asked.force, dry_run=dry_run
        )
    except BadRecord as error:
        raise refused("invalid", "", in_body(f"/value{pointer_of(error.path)}", str(error))) from None
    except DefinitionInvalid as error:
        found = (in_body(f"/value{pointer_of(one.path)}", one.message) for one in error.problems)
        raise refused("invalid", "", *found) from None
    if end.now_at:
        await mending.note(call.pool, call.project_id, letter, changes, call.actor)
    named = [ChangedField(pointer=pointer_to(*one.steps)) for one in changes]
    told = [ChangedField(pointer=pointer_to(*one.steps), before=one.before, after=one.after) for one in changes]
    kept = MendedLetter(**asdict(end), changes=named, dry_run=dry_run)
    return Reply(kept, headers=_NOT_KEPT, shown_once=msgspec.structs.replace(kept, changes=told))


def _must_be_places(names: list[str], problem: Callable[[int, str], Detail]) -> None:
    problems: list[Detail] = []
    for number, name in enumerate(names):
        try:
            control.place_of(name)
        except TidingsError as error:
            problems.append(problem(number, str(error)))
    if problems:
        raise refused("invalid", "", *problems)


def _own(call: Call[Any, Any, Any]) -> OwnLetters:
    return OwnLetters(call.wiring, call.project_id)


_PLACE = "0:0"

ROUTES: tuple[Route, ...] = (
    Route(
        "GET", "/dead-letters", "dead_letters:read", "List records that could not be processed", list_dead_letters,
        {200: LetterPage}, query_type=LetterListing,
    ),
    Route(
        "GET", "/dead-letters/{id}", "dead_letters:read", "Read one with its bytes", get_dead_letter,
        {200: ShownLetter}, path_type=ById, path_example={"id": _PLACE},
    ),
    Route(
        "POST", "/dead-letters/replay", "dead_letters:operate", "Put some back where they came from, as they were",
        replay_dead_letters, {200: LettersReplayed}, query_type=Writing, body=LettersToReplay,
        body_example={"places": [_PLACE]},
    ),
    Route(
        "POST", "/dead-letters/{id}/mend", "dead_letters:operate",
        "Put a corrected value where the record was, with its key and headers", mend_dead_letter, {200: MendedLetter},
        path_type=ById, query_type=Writing, body=LetterToMend, path_example={"id": _PLACE},
        body_example={"value": EXAMPLE}, most_bytes=2 * MOST_BYTES,
    ),
)  # fmt: skip
