"""A record that cannot be processed, on its way to `dead-letters` with its own bytes."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import structlog

from agents.broker.records import Headers, Incoming, Output
from agents.ingest_time import stamp
from agents.telemetry.metrics import Metrics
from agents.transport.batch import Batch
from agents.transport.fetched import Unreadable
from agents.wiring import Wiring
from schemas.closed import Role
from schemas.dead_letter import DeadLetter
from schemas.errors import BadRecord
from schemas.topics import DEAD_LETTERS, MIB, TOPICS

log = structlog.get_logger()

_LARGEST = TOPICS[DEAD_LETTERS].max_bytes - MIB // 2
"""Bytes of a record that are kept whole. Only a compressed one, or one of a topic with limits of its own, has more."""
_KEPT_OF_LARGER = MIB
_LONGEST_MESSAGE = 1000


class DeadLetters:
    """The place where one role leaves what it cannot process."""

    def __init__(self, role: Role, wiring: Wiring, metrics: Metrics) -> None:
        self._role, self._metrics = role, metrics
        self._prefix, self._topic = wiring.settings.topics.prefix, wiring.topic(DEAD_LETTERS)

    def put(self, batch: Batch, record: Incoming, error: Exception, now: datetime) -> None:
        """Add a record of a batch to what the batch has caused: as it came, with where and why after its own headers.

        An error that is not about the record is of kind `internal`: a defect, so it is logged as well.
        """
        is_its_own = isinstance(error, BadRecord)
        kept = _kept(record)
        facts = DeadLetter(
            topic=str(batch.tp.topic).removeprefix(self._prefix),
            partition=batch.partition,
            offset=record.offset,
            role=self._role,
            kind=error.kind if isinstance(error, BadRecord) else "internal",
            message=(str(error) if is_its_own else f"{type(error).__name__}: {error}")[:_LONGEST_MESSAGE],
            path=error.path if isinstance(error, BadRecord) else "",
            failed_at=now.isoformat(),
            timestamp=stamp(record),
            own_headers=len(kept.headers),
            cut=kept.cut,
        )
        self._metrics.dead_letters.labels(facts.kind).inc()
        if facts.kind == "internal":
            place = {"topic": facts.topic, "partition": facts.partition, "offset": facts.offset}
            log.error("record_failed", **place, exc_info=error)
        batch.emit([Output(self._topic, kept.key, kept.value, -1, facts.headers(kept.headers))])


class _Kept(NamedTuple):
    """The parts of a record that are kept; `cut` is how many bytes it had, where that is not all."""

    key: bytes | None
    value: bytes | None
    headers: Headers
    cut: int = 0


def _kept(record: Incoming) -> _Kept:
    """All of it, unless no topic here would take it: then its beginning, since a record must not end a worker."""
    value = record.raw if isinstance(record, Unreadable) else record.value
    key, headers = record.key, record.headers
    of_headers = sum(2 * len(name) + len(held or b"") + 16 for name, held in headers)
    size = len(key or b"") + len(value or b"") + of_headers
    if size <= _LARGEST:
        return _Kept(key, value, headers)
    return _Kept(
        key and key[:_KEPT_OF_LARGER],
        value and value[:_KEPT_OF_LARGER],
        headers if of_headers < _KEPT_OF_LARGER else (),
        size,
    )
