"""Events as they happened, one after another: from lines of JSON, or from topics."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import msgspec

from agents.broker.reader import TopicReader, headers_of
from agents.broker.wire import Wire
from console.control.events import customer_of
from console.control.known_memberships import KnownMemberships, MembershipRows
from console.control.not_found import not_found
from schemas.errors import BadRecord, InvalidEvent
from schemas.events.triggers import TRIGGERS
from schemas.formats.kinds import kind_in_words
from schemas.record import JsonObject
from schemas.record_key import record_key
from schemas.wire.json_text import decode_json
from streams.event_context import EventContext, Head
from streams.events import read_customer, read_event, topic_of
from streams.upstream import Headers, unwrapped

MOST = 100_000
"""Events of a recording: the newest ones, where there are more."""

_TAILED = ("partition", "offset", "value")
"""The members of a line that `tidings tail` prints."""
_Read = tuple[str, JsonObject | BadRecord, Headers]
"""The place of a record, what it holds, or why that cannot be read, and its headers."""
_LATEST = datetime(9000, 1, 1, tzinfo=UTC)
"""A recording may be of any time: events of the future wait in it for the simulation."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One event; `place` is where it stands, as in `events.jsonl:3`."""

    place: str
    record: JsonObject
    head: Head[Any]

    def context(
        self,
        profile: bytes | None,
        recent: Callable[[], bytes | None] = lambda: None,
        rows: MembershipRows | None = None,
    ) -> EventContext:
        """The event with rows of the customers' tables, as a matcher has it."""
        segments = partial((rows or MembershipRows(KnownMemberships())).of, self.head.customer_id)
        return EventContext(self.head, self.record, dict, profile, recent, segments)

    def later(self, by: timedelta) -> Recorded:
        """The same event at another time."""
        moment = self.head.created_at + by
        return Recorded(
            self.place,
            {**self.record, "created_at": moment.isoformat()},
            msgspec.structs.replace(self.head, created_at=moment),
        )


@dataclass(frozen=True, slots=True)
class Recording:
    """Events in the order of their times, and for each record that is not one its place and why.

    `is_cut` where there are older ones, which were left out.
    """

    events: tuple[Recorded, ...] = ()
    wrong: tuple[tuple[str, str], ...] = ()
    is_cut: bool = False

    @classmethod
    def joined(cls, parts: Iterable[Recording]) -> Recording:
        """Several as one."""
        found = list(parts)
        events = sorted((one for part in found for one in part.events), key=lambda one: one.head.created_at)
        return cls(tuple(events), tuple(one for part in found for one in part.wrong))

    @property
    def customers(self) -> frozenset[str]:
        """The customers whom the events are about."""
        return frozenset(one.head.customer_id for one in self.events)


@dataclass(frozen=True, slots=True)
class Whose:
    """The project whose events are read, and the default one."""

    project_id: str
    default: str


def from_lines(lines: Iterable[bytes], place: str, whose: Whose) -> Recording:
    """Events of a file, one a line, as they were published or as `tidings tail` prints them."""
    found = ((f"{place}:{number}", line) for number, line in enumerate(lines, 1) if line.strip())
    return _recording(((at, _line(line), ()) for at, line in found), whose)


def of_records(records: Iterable[JsonObject], place: str, whose: Whose) -> Recording:
    """Events that are at hand already."""
    return _recording(((place, record, ()) for record in records), whose)


def _line(line: bytes) -> JsonObject | BadRecord:
    try:
        record = decode_json(line.strip())
    except BadRecord as error:
        return error
    if not isinstance(record, dict):
        return InvalidEvent("a line is one JSON object")
    return record["value"] or {} if all(name in record for name in _TAILED) else record


def from_topics(wire: Wire, topics: Collection[str], whose: Whose) -> Recording:
    """Events that are on some topics now. Raises TidingsError for one that is not of events; TryLater."""
    known = {trigger.topic for trigger in TRIGGERS.values()}
    for topic in topics:
        if topic not in known:
            raise not_found("topic of events", topic, known)
    return _recording((one for topic in topics for one in _of_topic(wire, topic)), whose)


def newest_of(wire: Wire, topic: str, whose: Whose, most: int) -> Recording:
    """The newest events of a topic: those among about `most` records at the ends of its partitions. Raises TryLater."""
    with TopicReader(wire, topic) as reader:
        bounds = {partition: reader.bounds(partition) for partition in reader.partitions}
        each = -(-most // len(bounds))
        start = {partition: max(low, end - each) for partition, (low, end) in bounds.items()}
        is_cut = any(start[partition] > low for partition, (low, _) in bounds.items())
        return replace(_recording(_read_from(reader, topic, start), whose), is_cut=is_cut)


def _of_topic(wire: Wire, topic: str) -> Iterator[_Read]:
    with TopicReader(wire, topic) as reader:
        yield from _read_from(reader, topic, {})


def _read_from(reader: TopicReader, topic: str, start: Mapping[int, int]) -> Iterator[_Read]:
    for message in reader.until_now(start=start):
        place = f"{topic}-{message.partition()}@{message.offset()}"
        try:
            yield place, reader.decode(message), headers_of(message)
        except BadRecord as error:
            yield place, error, ()


def _recording(records: Iterable[_Read], whose: Whose) -> Recording:
    events: deque[Recorded] = deque(maxlen=MOST)
    wrong: list[tuple[str, str]] = []
    for place, record, headers in records:
        try:
            one = _read(place, record, headers, whose)
        except BadRecord as error:
            wrong.append((place, str(error)))
            continue
        if one.head.project_id == whose.project_id:
            events.append(one)
    return Recording(tuple(sorted(events, key=lambda one: one.head.created_at)), tuple(wrong))


def _read(place: str, record: JsonObject | BadRecord, headers: Headers, whose: Whose) -> Recorded:
    if isinstance(record, BadRecord):
        raise record
    event = unwrapped(record, headers, whose.project_id)
    trigger = TRIGGERS.get(str(event.get("type")))
    if trigger is None:
        raise InvalidEvent(f"type {event.get('type')!r} is not known; there are: {', '.join(TRIGGERS)}", path="type")
    key = record_key(str(event.get("project_id", "")), customer_of(event), whose.default).encode()
    topic = topic_of(event) or trigger.topic
    head = read_event(event, topic, key, now=_LATEST, max_future=timedelta(), default_project=whose.default)
    return Recorded(place, event, head)


def profiles_of(lines: Iterable[bytes], place: str, whose: Whose) -> dict[str, JsonObject]:
    """The last profile of each customer in a file of them, one a line. Raises InvalidEvent that names the line."""
    found: dict[str, JsonObject] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = decode_json(line.strip())
            if not isinstance(record, dict):
                raise InvalidEvent("a line is one JSON object")
            key = record_key(whose.project_id, str(record.get("id", "")), whose.default).encode()
            profile = read_customer(record, key, whose.default)
            _check_segments(profile)
        except BadRecord as error:
            raise InvalidEvent(f"{place}:{number}: {error}") from error
        found[profile["id"]] = profile
    return found


def _check_segments(profile: JsonObject) -> None:
    found = profile.get("segments", [])
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        given = kind_in_words(found)
        raise InvalidEvent(
            f"{given} is not valid: must be the ids of the segments that the customer is in, as in [vip]",
            path="segments",
        )


def segments_of(profiles: Mapping[str, JsonObject]) -> dict[str, list[str]]:
    """The segments that customers are in, of those whose `segments` say so."""
    return {customer: profile["segments"] for customer, profile in profiles.items() if "segments" in profile}


def rows_of(profiles: Mapping[str, JsonObject]) -> dict[str, bytes]:
    """Profiles as rows of the customers' table."""
    return {customer: msgspec.json.encode(profile) for customer, profile in profiles.items()}
