"""Dead-letters mended: a corrected value in place of the record's, checked by those who read its topic, and put back.

Key, headers, encoding, time and partition are the record's own, and a header says which dead-letter it was, which stays
as it is. Mended are records that upstream writes: what Tidings itself wrote wrongly is a defect, and is replayed once
that is mended.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import zip_longest
from typing import Any

import asyncpg
import msgspec

from agents.broker.reader import TopicReader, headers_of
from agents.broker.wire import Wire
from agents.event_readers import event_reader
from console.control.customers import check_profiles
from console.control.dead_letters import Letter, Replay, Replayed
from console.control.events import Reading
from console.control.own_dead_letters import OwnLetters
from deploy.settings.workers import Matcher
from schemas.audit import AuditEntry, shown
from schemas.dead_letter import HEADER_PREFIX
from schemas.errors import BadRecord, InvalidEvent, TidingsError, TooLarge
from schemas.events.event import Event
from schemas.events.triggers import EVENT_TOPICS
from schemas.record import JsonObject
from schemas.record_key import parse_key
from schemas.topics import CUSTOMERS
from schemas.wire.codec import SINGLE_OBJECT
from schemas.wire.json_text import decode_json, decode_unambiguous
from store import audit
from store.postgres import changing
from streams.events import read_customer
from streams.upstream import unwrapped
from streams.values.wording import invalid

MENDED = f"{HEADER_PREFIX}mended"
"""The header of a record that was mended: the place of its dead-letter."""
_ABSENT: Any = msgspec.UNSET
_AVRO = (b"\x00", SINGLE_OBJECT[:1])
"""The first byte of a record in Avro. Whatever begins with another is JSON, and is so again: nothing of it is lost."""
_LONGEST_SHOWN = 4000


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field that differs, by the steps that lead to it. What is not there on one side is `msgspec.UNSET`."""

    steps: tuple[str, ...]
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Mended(Letter):
    """A dead-letter with another value in place of its record's."""

    mended: bytes | None = None

    @property
    def value(self) -> bytes | None:
        """The corrected one."""
        return self.mended

    @property
    def is_whole(self) -> bool:
        """True: nothing of the value is missing, whatever was cut off of the record's."""
        return True

    def own_headers(self) -> list[tuple[str, bytes | None]]:
        """The record's own, and the place of the dead-letter it was: once, where that was mended before."""
        own = [one for one in self.facts.own_of(headers_of(self.message)) if one[0] != MENDED]
        return [*own, (MENDED, self.place.encode())]


def mended(wire: Wire, letter: Letter, value: JsonObject, limits: Matcher, now: datetime) -> Mended:
    """The dead-letter with a corrected value.

    Raises BadRecord, DefinitionInvalid that say what is wrong with it still, TidingsError for a topic of our own.
    """
    topic, key, text = letter.facts.topic, letter.message.key(), msgspec.json.encode(value)
    if topic == CUSTOMERS:
        avro = _avro_profile(wire, value, key, limits, now)
        raw = avro if _is_avro(letter) else text
        if len(raw) > limits.max_event_bytes:
            raise TooLarge(f"has {len(raw):,} bytes; at most {limits.max_event_bytes:,} are read")
    elif can_be_mended(letter):
        raw = _avro_event(wire, topic, value) if _is_avro(letter) else text
        event_reader(wire, topic, limits).read(raw, key, now, letter.own_headers())
    else:
        raise TidingsError(f"{topic} is written by Tidings itself: replay it once what wrote it is mended")
    return Mended(letter.message, letter.facts, raw)


def differences(wire: Wire, letter: Letter, value: JsonObject) -> list[FieldChange]:
    """The fields in which a corrected value differs from the record's; of one that cannot be read all of it at once."""
    raw = letter.message.value() or b""
    try:
        before: Any = wire.codec(letter.facts.topic).decode(raw)
    except BadRecord:
        before = raw[:_LONGEST_SHOWN].decode(errors="backslashreplace")
    return list(_differing(msgspec.to_builtins(before), value, ()))


def can_be_mended(letter: Letter) -> bool:
    """True of a record that upstream writes."""
    return letter.facts.topic == CUSTOMERS or letter.facts.topic in EVENT_TOPICS


def text_to_mend(wire: Wire, letter: Letter) -> str:
    """The value as JSON, a line a field; of one that cannot be read its bytes, written out where they are not UTF-8."""
    raw = letter.value or b""
    try:
        if _is_avro(letter):
            raw = msgspec.json.encode(wire.codec(letter.facts.topic).decode(raw))
        else:
            decode_json(raw)
    except BadRecord:
        return raw.decode(errors="backslashreplace")
    return msgspec.json.format(raw, indent=2).decode()


def read_value(text: str) -> JsonObject:
    """A value as somebody wrote it. Raises BadRecord."""
    found = decode_unambiguous(text.encode(errors="replace"))
    if not isinstance(found, dict):
        raise InvalidEvent(invalid(found, "one JSON object"))
    return found


async def mend(
    own: OwnLetters, place: str, value: JsonObject, now: datetime, *, force: bool, dry_run: bool
) -> tuple[Letter, Replayed, list[FieldChange]]:
    """Check a corrected value of a project's dead-letter as its readers do, and put it where the record was.

    Raises as `mended`, NotFound, TryLater.
    """

    def work(reader: TopicReader) -> tuple[Letter, Replayed, list[FieldChange]]:
        wiring, letter = own.wiring, own.find(reader, place)
        made = mended(wiring, letter, value, wiring.settings.matcher, now)
        changes = differences(wiring, letter, value)
        return letter, put_back(wiring, made, force=force, dry_run=dry_run), changes

    return await own.reading(work)


def put_back(wire: Wire, letter: Mended, *, force: bool, dry_run: bool) -> Replayed:
    """Write it where the record was, or with `dry_run` say what would come of that."""
    end = next(Replay(wire, force=force).run([letter], dry_run=dry_run))
    return replace(end, now_at=end.now_at or None)


async def note(pool: asyncpg.Pool, project_id: str, letter: Letter, changes: list[FieldChange], actor: str) -> None:
    """Write down that somebody mended a dead-letter, and which fields, not what they say. Raises TryLater."""
    names = [".".join(one.steps) for one in changes]
    said = {"topic": letter.facts.topic, "fields": shown(names)}
    async with changing(pool) as connection:
        await audit.write(connection, AuditEntry(project_id, actor, "dead_letters.mended", letter.place, None, said))


def _is_avro(letter: Letter) -> bool:
    return (letter.value or b"")[:1] in _AVRO


def _avro_event(wire: Wire, topic: str, value: JsonObject) -> bytes:
    """An event in our own form, as it is published. Raises InvalidEvent for one that no schema takes."""
    try:
        return wire.codec(topic).encode(msgspec.convert(unwrapped(value, (), wire.default_project), Event))
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at `$")
        raise InvalidEvent(message, path=where.rstrip("`").lstrip(".")) from None


def _avro_profile(wire: Wire, value: JsonObject, key: bytes | None, limits: Matcher, now: datetime) -> bytes:
    """A profile as it is put over the API, of the customer whom the key names, checked as there."""
    read_customer(value, key, wire.default_project)
    project_id = parse_key(key or b"", wire.default_project).project_id
    reading = Reading.by(limits, project_id, now, customers=True)
    (output,) = check_profiles(wire, [value], reading, is_list=False).outputs
    return output.value or b""


def _differing(before: Any, after: Any, steps: tuple[str, ...]) -> Iterator[FieldChange]:
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys((*before, *after)):
            yield from _differing(before.get(name, _ABSENT), after.get(name, _ABSENT), (*steps, str(name)))
    elif isinstance(before, list) and isinstance(after, list):
        for number, (old, new) in enumerate(zip_longest(before, after, fillvalue=_ABSENT)):
            yield from _differing(old, new, (*steps, str(number)))
    elif type(before) is not type(after) or before != after:
        yield FieldChange(steps, before, after)
