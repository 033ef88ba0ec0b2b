"""Every topic: what is on it, how it is keyed, partitioned, cleaned and kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from schemas.closed import CHANNELS, ChannelName
from schemas.events.triggers import EVENT_TOPICS

MIB = 1024 * 1024
DAY = 86_400
_SEGMENT = DAY
"""Seconds after which a part of a log is closed: it is deleted whole, so a record stays for as much longer."""
_COMPACTED_WITHIN = DAY
"""Seconds after which what a newer record of its key has replaced is taken out, however little is written."""
_TOMBSTONES_KEPT = 7 * DAY
"""Seconds for which a tombstone stays after that: a worker that was away for no longer still reads it."""

CUSTOMERS = "customers"
MEMBERSHIPS = "memberships"
DISTRIBUTIONS = "distributions"
PUBLICATION_REQUESTS = "publications.requests"
DECISIONS = "decisions"
DELIVERY_STATUS = "delivery.status"
DEAD_LETTERS = "dead-letters"
NOTICES = "notices"
AUDIT = "audit"
CONSENTS = "consents"
HOLDS = "holds"
DUE = "events.due"


def deliveries(channel: ChannelName) -> str:
    """The topic of a channel's deliveries."""
    return f"deliveries.{channel}"


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic, without its prefix.

    `partitions` is 1 or "shared": all shared ones have the one configured count, so that a customer is on the same
    partition number everywhere. `retention` is in seconds; None keeps the last record of a key for ever (compaction).
    `max_bytes` is the largest record batch the broker takes; of these `reserve` are kept free for key and headers, and
    for what is added on the way to the next topic.
    """

    name: str
    key: str
    partitions: Literal["shared"] | int = "shared"
    retention: int | None = 7 * DAY
    max_bytes: int = 2 * MIB
    reserve: int = MIB // 16

    @property
    def max_value_bytes(self) -> int:
        """The largest value that is written."""
        return self.max_bytes - self.reserve

    @property
    def cleanup(self) -> str:
        """Kafka's cleanup.policy."""
        return "compact" if self.retention is None else "delete"

    @property
    def clean_after(self) -> int:
        """Seconds after which no record is left that is on it now, or of a compacted one none that was replaced now."""
        return _COMPACTED_WITHIN if self.retention is None else self.retention + _SEGMENT

    def settings(self) -> dict[str, str]:
        """The topic's configuration as Kafka names it."""
        if self.retention is None:
            kept = {
                "max.compaction.lag.ms": str(_COMPACTED_WITHIN * 1000),
                "delete.retention.ms": str(_TOMBSTONES_KEPT * 1000),
            }
        else:
            kept = {"retention.ms": str(self.retention * 1000), "segment.ms": str(_SEGMENT * 1000)}
        return {"cleanup.policy": self.cleanup, "max.message.bytes": str(self.max_bytes), **kept}


LARGEST_ROW = 2 * MIB - MIB // 16
"""Bytes of a row of a table: its changelog topic takes no more."""
LARGEST_RECORD = 12 * MIB
"""What event topics take: more than any valid event has, so that an oversized one can be dead-lettered, not lost."""

TOPICS: dict[str, Topic] = {
    topic.name: topic
    for topic in (
        *(Topic(name, "customer", max_bytes=LARGEST_RECORD) for name in EVENT_TOPICS),
        Topic(CUSTOMERS, "customer", retention=None, max_bytes=LARGEST_RECORD),
        Topic(MEMBERSHIPS, "customer", retention=None),
        Topic(DISTRIBUTIONS, "distribution", partitions=1, retention=None),
        *(Topic(name, "customer", max_bytes=LARGEST_RECORD + MIB) for name in (HOLDS, DUE)),
        Topic(PUBLICATION_REQUESTS, "customer", reserve=MIB // 2),
        *(Topic(deliveries(channel), "customer") for channel in CHANNELS),
        Topic(DECISIONS, "customer"),
        Topic(DELIVERY_STATUS, "customer", retention=30 * DAY),
        Topic(CONSENTS, "customer", retention=None),
        Topic(NOTICES, "project", partitions=1, retention=30 * DAY),
        Topic(AUDIT, "project", partitions=1, retention=365 * DAY),
        Topic(DEAD_LETTERS, "as source", partitions=1, retention=30 * DAY, max_bytes=LARGEST_RECORD + MIB),
    )
}
"""Name to declaration, in the order of the data path."""

REPLAYABLE = timedelta(
    seconds=sum(
        max(TOPICS[name].retention or 0 for name in names)
        for names in (EVENT_TOPICS, (PUBLICATION_REQUESTS,), map(deliveries, CHANNELS))
    )
)
"""How long after an event its delivery may be read from Kafka, where each topic on the way keeps it to the end."""

RECENT = "recent-sends"
"""The matcher's table of who was sent what."""
WAITING = "waiting"
"""The matcher's table of what waits and may be ended; two further ones are of CUSTOMERS and of MEMBERSHIPS."""


def changelog(table: str) -> str:
    """The topic behind a table of the matcher, as Faust names it."""
    return f"tidings-matcher-{table}-changelog"


CHANGELOGS: dict[str, Topic] = {
    name: Topic(name, "customer", retention=None) for name in map(changelog, (CUSTOMERS, MEMBERSHIPS, RECENT, WAITING))
}
"""Name to declaration of what is private to the matcher: rows, not records."""


def check_prefix(prefix: str) -> None:
    """Raise ValueError unless the prefix makes valid topic names: letters, digits, dot, underscore and dash."""
    if not all(character.isalnum() or character in "._-" for character in prefix):
        raise ValueError(f"topic prefix {prefix!r} may hold only letters, digits, '.', '_' and '-'")
