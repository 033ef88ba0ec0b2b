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


async def newest(
    wiring: Wiring, project_id: str, wanted: Wanted, before: Ends, limit: int
) -> tuple[list[TopicRecord], dict[int, int] | None]:
    """The newest before a place, the newest first, and the place of older ones; None where there are none.

    Raises TryLater while Kafka is away.
    """

    def read(reader: TopicReader) -> tuple[list[TopicRecord], dict[int, int] | None]:
        return _page(_Look(reader, wiring.default_project, project_id, wanted), before, limit)

    return await read_aside(wiring, wanted.topic, read)


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
            found = self._read(message)
            if found is not None:
                yield found

    def _read(self, message: Fetched) -> TopicRecord | None:
        """A record, where it is wanted and of the project; one without a key that says so is nobody's."""
        try:
            key = parse_key(message.key() or b"", self.default)
        except BadRecord:
            return None
        if not key.id or key.project_id != self.project_id or self.wanted.id not in (None, key.id):
            return None
        value, wrong, raw = None, "", message.value() or b""
        try:
            value = None if message.value() is None else self.reader.decode(message)
        except (BadRecord, msgspec.ValidationError) as error:
            wrong = str(error)
        text = self.wanted.text
        if text is not None and text.casefold() not in msgspec.json.encode(value).decode().casefold():
            return None
        _, stamp = message.timestamp()
        at = datetime.fromtimestamp(stamp / 1000, UTC) if stamp > 0 else None
        if len(raw) > SHOWN_BYTES:
            value, wrong = None, f"it has {len(raw):,} bytes; tidings tail {self.wanted.topic} shows it"
        return TopicRecord(message.partition() or 0, message.offset() or 0, at, key.id, len(raw), value, wrong)


def _page(look: _Look, before: Ends, limit: int) -> tuple[list[TopicRecord], dict[int, int] | None]:
    until, found, starts, is_all = deadline(), list[TopicRecord](), dict[int, int](), True
    for partition in look.partitions():
        low, high = look.reader.bounds(partition)
        end = min(high, before.get(partition, high))
        start = starts[partition] = max(low, end - NEWEST)
        is_all = is_all and start == low
        found += deque(in_time(look.within(partition, start, end), until, look.wanted.topic), maxlen=limit + 1)
    found.sort(key=lambda one: (one.at or _NEVER, one.partition, one.offset), reverse=True)
    for one in found[limit:]:  # its partition goes on behind the newest that is not on this page
        starts[one.partition] = max(starts[one.partition], one.offset + 1)
    return found[:limit], starts if len(found) > limit or not is_all else None
