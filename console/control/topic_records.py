"""Some of the newest records of a topic that are of one project, for those who ask over HTTP."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from agents.broker.reader import Fetched, TopicReader
from agents.wiring import Wiring
from console.control.topic_reading import deadline, in_time, read_aside
from schemas.errors import BadRecord
from schemas.record_key import parse_key, record_key
from schemas.topics import TOPICS

SHOWN_TOPICS: tuple[str, ...] = tuple(
    name for name, topic in TOPICS.items() if topic.key in ("customer", "distribution")
)
"""Those whose keys say whose a record is."""
NEWEST = 1000
"""Of each partition, so many are looked at, before the place where a page begins."""
SHOWN_BYTES = 20_000
"""What is larger is named, and not shown."""

_NEVER = datetime.min.replace(tzinfo=UTC)

Ends = Mapping[int, int]
"""By partition, the offset before which a page begins."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Records of a topic: of one key's id, and with a text in them, where these are given."""

    topic: str
    id: str | None = None
    text: str | None = None

    def fits(self, project_id: str, one: OwnedRecord) -> bool:
        """True of a record of the project that is wanted."""
        if one.project_id != project_id or self.id not in (None, one.record.id):
            return False
        return self.text is None or self.text.casefold() in one.text


@dataclass(frozen=True, slots=True)
class TopicRecord:
    """A record as it was read: `value` is None for a tombstone, `wrong` says why one cannot be read."""

    partition: int
    offset: int
    at: datetime | None
    id: str
    size: int
    value: Mapping[str, Any] | None = None
    wrong: str = ""


@dataclass(frozen=True, slots=True)
class OwnedRecord:
    """A record, whose it is, and everything that is in it as text without case."""

    project_id: str
    record: TopicRecord
    text: str = ""


@dataclass(frozen=True, slots=True)
class RecordPage:
    """Records, the newest first; the place of older ones, None where there are none, and that of newer ones."""

    records: list[TopicRecord]
    older: dict[int, int] | None
    newer: dict[int, int]


async def newest(wiring: Wiring, project_id: str, wanted: Wanted, before: Ends, limit: int) -> RecordPage:
    """The newest before a place. Raises TryLater while Kafka is away."""

    def read(reader: TopicReader) -> RecordPage:
        return _page(_Look(reader, wiring.default_project, project_id, wanted), before, limit)

    return await read_aside(wiring, wanted.topic, read)


async def since(
    wiring: Wiring, project_id: str, wanted: Wanted, places: Ends
) -> tuple[list[TopicRecord], dict[int, int], int]:
    """Whatever came behind a place, the oldest first, the place of newer ones, and how many were passed over.

    Of a partition that the place does not name nothing is. Raises TryLater while Kafka is away.
    """

    def read(reader: TopicReader) -> tuple[list[TopicRecord], dict[int, int], int]:
        look = _Look(reader, wiring.default_project, project_id, wanted)
        until, found, newer, skipped = deadline(), list[TopicRecord](), dict[int, int](), 0
        for partition in reader.partitions:
            low, high = reader.bounds(partition)
            place = max(low, places.get(partition, high))
            start = newer[partition] = max(place, high - NEWEST)
            skipped += start - place
            for one in in_time(look.within(partition, start, high), until, wanted.topic):
                found.append(one)
            newer[partition] = max(high, start)
        return sorted(found, key=_order), newer, skipped

    return await read_aside(wiring, wanted.topic, read)


def read_record(reader: TopicReader, message: Fetched, default: str, *, with_text: bool) -> OwnedRecord | None:
    """A record and whose it is; one without a key that says so is nobody's."""
    try:
        key = parse_key(message.key() or b"", default)
    except BadRecord:
        return None
    if not key.id:
        return None
    value, wrong, raw = None, "", message.value() or b""
    try:
        value = None if message.value() is None else reader.decode(message)
    except (BadRecord, msgspec.ValidationError) as error:
        wrong = str(error)
    text = msgspec.json.encode(value).decode().casefold() if with_text else ""
    _, stamp = message.timestamp()
    at = datetime.fromtimestamp(stamp / 1000, UTC) if stamp > 0 else None
    if len(raw) > SHOWN_BYTES:
        value, wrong = None, f"it has {len(raw):,} bytes; tidings tail {reader.topic} shows it"
    record = TopicRecord(message.partition() or 0, message.offset() or 0, at, key.id, len(raw), value, wrong)
    return OwnedRecord(key.project_id, record, text)


@dataclass(frozen=True, slots=True)
class _Look:
    reader: TopicReader
    default: str
    project_id: str
    wanted: Wanted

    def partitions(self) -> list[int]:
        if self.wanted.id is None:
            return self.reader.partitions
        return [self.reader.partition_of(record_key(self.project_id, self.wanted.id, self.default))]

    def within(self, partition: int, start: int, end: int) -> Iterator[TopicRecord]:
        """The records of a stretch that are wanted."""
        for message in self.reader.until_now([partition], start={partition: start}) if start < end else ():
            if (message.offset() or 0) >= end:
                return
            found = read_record(self.reader, message, self.default, with_text=self.wanted.text is not None)
            if found is not None and self.wanted.fits(self.project_id, found):
                yield found.record


def _page(look: _Look, before: Ends, limit: int) -> RecordPage:
    until, found, starts, is_all = deadline(), list[TopicRecord](), dict[int, int](), True
    ends: dict[int, int] = {}
    for partition in look.partitions():
        low, high = look.reader.bounds(partition)
        end = ends[partition] = min(high, before.get(partition, high))
        start = starts[partition] = max(low, end - NEWEST)
        is_all = is_all and start == low
        found += deque(in_time(look.within(partition, start, end), until, look.wanted.topic), maxlen=limit + 1)
    found.sort(key=_order, reverse=True)
    for one in found[limit:]:  # its partition goes on behind the newest that is not on this page
        starts[one.partition] = max(starts[one.partition], one.offset + 1)
    return RecordPage(found[:limit], starts if len(found) > limit or not is_all else None, ends)


def _order(one: TopicRecord) -> tuple[datetime, int, int]:
    return one.at or _NEVER, one.partition, one.offset
