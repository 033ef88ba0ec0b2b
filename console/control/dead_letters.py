"""Dead-letters found and put back where they came from.

A replay writes the record as it was: key, bytes, headers, partition, and time as far as the topic keeps what is as old.
Its event has the id that it had, so that whatever it caused before is recognized: to replay twice is harmless.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import asyncpg
import msgspec

from agents.broker.kept_time import kept_time
from agents.broker.reader import Fetched, TopicReader, headers_of
from agents.broker.records import Output
from agents.broker.wire import Wire
from agents.broker.writer import Writer
from console.control.not_found import not_found
from schemas.audit import AuditEntry, shown
from schemas.dead_letter import WHOLE_BATCH, DeadLetter, names_written_out
from schemas.errors import BadRecord, TidingsError
from schemas.record_key import parse_key
from schemas.topics import TOPICS
from schemas.wire.json_text import decode_json
from store import audit
from store.postgres import changing

_CHUNK = 500
"""Records on their way at once: a dead-letter may have megabytes."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead-letter at its place on the topic."""

    message: Fetched
    facts: DeadLetter

    @property
    def place(self) -> str:
        """`partition:offset` on the dead-letter topic, as the commands name it."""
        return f"{self.message.partition()}:{self.message.offset()}"

    @property
    def source(self) -> str:
        """The place where the record was."""
        return f"{self.facts.topic} {self.facts.partition}@{self.facts.offset}"

    @property
    def value(self) -> bytes | None:
        """The record's bytes."""
        raw: bytes | None = self.message.value()
        return raw

    @property
    def is_whole(self) -> bool:
        """False where the record was too large to be kept whole."""
        return not self.facts.cut

    def own_headers(self) -> list[tuple[str, bytes | None]]:
        """The record's own."""
        return self.facts.own_of(headers_of(self.message))


@dataclass(frozen=True, slots=True)
class Filter:
    """Some dead-letters; None asks for nothing. `after` is a place, `since` when they were refused."""

    kind: str | None = None
    topic: str | None = None
    role: str | None = None
    after: str | None = None
    since: datetime | None = None

    def takes(self, facts: DeadLetter) -> bool:
        """True for a dead-letter that is one of them."""
        asked = ((self.kind, facts.kind), (self.topic, facts.topic), (self.role, facts.role))
        return all(wanted in (None, found) for wanted, found in asked) and (
            self.since is None or _moment(facts.failed_at) >= self.since
        )


@dataclass(frozen=True, slots=True)
class Replayed:
    """The end of one replay: the new place of its record, or why it was not written. `note`: what is not as it was."""

    place: str
    source: str
    now_at: str | None
    why_not: str = ""
    note: str = ""


class Place(NamedTuple):
    """A place on the dead-letter topic."""

    partition: int
    offset: int


def place_of(name: str) -> Place:
    """Partition and offset of `0:17`, or of `17` on partition 0. Raises TidingsError."""
    partition, _, offset = name.rpartition(":")
    if not offset.isdecimal() or not (partition or "0").isdecimal():
        raise TidingsError(f"{name} is not a dead-letter's place: must be PARTITION:OFFSET, as in 0:17")
    return Place(int(partition or 0), int(offset))


def find(reader: TopicReader, name: str) -> Letter:
    """The dead-letter of a place, without reading those before it. Raises NotFound, TidingsError."""
    message = reader.at(*place_of(name))
    letter = None if message is None else _letter(message)
    if letter is None:
        raise not_found("dead-letter", name, see="tidings dead-letters list")
    return letter


def select(reader: TopicReader, wanted: Filter, *, newest: int | None = None) -> Iterator[Letter]:
    """All that a filter takes, oldest first; of the newest so many of each partition, where that is said.

    A record that is not a dead-letter is passed over.
    """
    start: dict[int, int] = {}
    if newest is not None:
        start = {one: max(low, end - newest) for one in reader.partitions for low, end in [reader.bounds(one)]}
    if wanted.after:
        partition, offset = place_of(wanted.after)
        start[partition] = max(offset + 1, start.get(partition, 0))
    for message in reader.until_now(start=start):
        letter = _letter(message)
        if letter is not None and wanted.takes(letter.facts):
            yield letter


def behind(reader: TopicReader, place: Place | None, *, newest: int) -> Iterator[Letter]:
    """Those behind a place, by partition and offset; of each partition the newest are looked at."""
    for partition in reader.partitions:
        if place is not None and partition < place.partition:
            continue
        low, end = reader.bounds(partition)
        after = place.offset + 1 if place is not None and partition == place.partition else 0
        for message in reader.until_now([partition], start={partition: max(low, end - newest, after)}):
            letter = _letter(message)
            if letter is not None:
                yield letter


def is_of(letter: Letter, project_id: str, default: str) -> bool:
    """True where a record's key is of a project, and its value does not name another one.

    One without a key, or with a key that is not read, is of no project: whose it is can be anybody's.
    """
    try:
        if letter.message.key() is None or parse_key(letter.message.key(), default).project_id != project_id:
            return False
    except BadRecord:
        return False
    try:
        value = decode_json(letter.message.value() or b"")
    except BadRecord:
        return True
    return not isinstance(value, dict) or value.get("project_id") in (None, project_id)


def _letter(message: Fetched) -> Letter | None:
    try:
        return Letter(message, DeadLetter.from_headers(headers_of(message)))
    except msgspec.ValidationError:
        return None


def _moment(failed_at: str) -> datetime:
    try:
        moment = datetime.fromisoformat(failed_at)
    except ValueError:
        return datetime.max.replace(tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


async def note_replay(pool: asyncpg.Pool, project_id: str, places: Sequence[str], actor: str) -> None:
    """Write down that somebody had dead-letters of a project put back. Raises TryLater."""
    if places:
        said = {"count": len(places), "places": shown(list(places))}
        thing = places[0] if len(places) == 1 else ""
        async with changing(pool) as connection:
            await audit.write(connection, AuditEntry(project_id, actor, "dead_letters.replayed", thing, None, said))


class Replay:
    """Writes dead-letters back, once. `force` also those that would undo what came later."""

    def __init__(self, wire: Wire, *, force: bool = False) -> None:
        self._wire, self._force = wire, force
        self._writer = Writer(wire.kafka.client())
        self._partitions: dict[str, int] = {}

    def run(self, letters: Iterable[Letter], *, dry_run: bool = False) -> Iterator[Replayed]:
        """Each with what became of it, a chunk at a time."""
        chunk: list[Letter] = []
        with closing(self._writer):
            for letter in letters:
                chunk.append(letter)
                if len(chunk) == _CHUNK:
                    yield from self._chunk(chunk, dry_run=dry_run)
                    chunk = []
            yield from self._chunk(chunk, dry_run=dry_run)

    def _chunk(self, letters: list[Letter], *, dry_run: bool) -> list[Replayed]:
        refused = {id(one): why for one in letters if (why := self._why_not(one))}
        refused |= self._overtaken([one for one in letters if id(one) not in refused])
        chosen = [one for one in letters if id(one) not in refused]
        written = {} if dry_run else self._written(chosen)
        for one in chosen if not dry_run else ():  # one bad record has a whole request refused
            if written[id(one)][1] is not None:
                written |= self._written([one])
        return [
            _replayed(one, None, refused[id(one)])
            if id(one) in refused
            else _replayed(one, *written.get(id(one), ("", None)))
            for one in letters
        ]

    def _why_not(self, letter: Letter) -> str:
        facts = letter.facts
        if facts.topic not in TOPICS:
            return f'no topic "{facts.topic}"'
        if not letter.is_whole:
            return (
                f"it was too large to be kept whole ({facts.cut} bytes); the record is at {letter.source} for as long "
                "as that topic keeps it"
            )
        if facts.path == WHOLE_BATCH:
            return "it is a damaged batch, whose records cannot be told apart"
        return ""

    def _overtaken(self, letters: list[Letter]) -> dict[int, str]:
        """Those of a compacted topic whose key has a newer record there: written again, they would take its place."""
        refused: dict[int, str] = {}
        for topic in {one.facts.topic for one in letters if TOPICS[one.facts.topic].cleanup == "compact"}:
            of_topic = [one for one in letters if one.facts.topic == topic and one.message.key() is not None]
            if not of_topic or self._force:
                continue
            newest = self._newest(topic, of_topic)
            for one in of_topic:
                offset = newest.get((one.facts.partition, one.message.key()), -1)
                if offset > one.facts.offset:
                    refused[id(one)] = (
                        f"{topic} has a newer record of the same key, at {offset}; --force writes it anyway"
                    )
        return refused

    def _newest(self, topic: str, letters: list[Letter]) -> dict[tuple[int, Any], int]:
        start: dict[int, int] = {}
        for one in letters:
            start[one.facts.partition] = min(start.get(one.facts.partition, one.facts.offset), one.facts.offset)
        keys, newest = {one.message.key() for one in letters}, {}
        with TopicReader(self._wire, topic) as reader:
            for message in reader.until_now([one for one in start if one in reader.partitions], start=start):
                if message.key() in keys:
                    newest[message.partition(), message.key()] = message.offset()
        return newest

    def _written(self, letters: list[Letter]) -> dict[int, tuple[str, str | None]]:
        """Of each the new place, or the broker's words."""
        ends = self._writer.write([self._output(one) for one in letters])
        return {
            id(one): (f"{one.facts.topic} {end.partition}@{end.offset}" if end.refused is None else "", end.refused)
            for one, end in zip(letters, ends, strict=True)
        }

    def _output(self, letter: Letter) -> Output:
        facts, record = letter.facts, letter.message
        return Output(
            self._wire.topic(facts.topic), record.key(), letter.value, self._partition(facts), letter.own_headers(),
            kept_time(TOPICS[facts.topic], facts.timestamp),
        )  # fmt: skip

    def _partition(self, facts: DeadLetter) -> int:
        """The one that it was on, as long as the topic has it."""
        if facts.topic not in self._partitions:
            with TopicReader(self._wire, facts.topic) as reader:
                self._partitions[facts.topic] = len(reader.partitions)
        return facts.partition if facts.partition < self._partitions[facts.topic] else -1


def _replayed(letter: Letter, now_at: str | None, why_not: str | None) -> Replayed:
    odd = names_written_out(headers_of(letter.message))
    notes = [f"{odd} header names were not UTF-8 and are written out"] if odd else []
    topic, timestamp = TOPICS.get(letter.facts.topic), letter.facts.timestamp
    if topic is not None and timestamp > 0 and not kept_time(topic, timestamp):
        notes.append("its time is the present one: the topic would not keep it with its own")
    return Replayed(letter.place, letter.source, None if why_not else now_at, why_not or "", "; ".join(notes))
