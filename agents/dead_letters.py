"""A record that cannot be processed, on its way to `dead-letters` with its own bytes."""

from __future__ import annotations

from datetime import datetime

import structlog

from agents.metrics import Metrics
from agents.transport.batch import Batch, Incoming, Output
from agents.wiring import Wiring
from schemas.closed import Role
from schemas.dead_letter import DeadLetter
from schemas.errors import BadRecord
from schemas.topics import DEAD_LETTERS

log = structlog.get_logger()


class DeadLetters:
    """Where one role leaves what it cannot process."""

    def __init__(self, role: Role, wiring: Wiring, metrics: Metrics) -> None:
        self._role, self._metrics = role, metrics
        self._prefix, self._topic = wiring.settings.topics.prefix, wiring.topic(DEAD_LETTERS)

    def put(self, batch: Batch, record: Incoming, error: Exception, now: datetime) -> None:
        """Add a record of a batch to what the batch has caused: key and value as they came, where and why in headers.

        An error that is not about the record's form is of kind `internal`: a defect, so it is logged as well.
        """
        facts = DeadLetter(
            topic=str(batch.tp.topic).removeprefix(self._prefix),
            partition=batch.partition,
            offset=record.offset,
            role=self._role,
            kind=error.kind if isinstance(error, BadRecord) else "internal",
            message=str(error) if isinstance(error, BadRecord) else f"{type(error).__name__}: {error}",
            path=error.path if isinstance(error, BadRecord) else "",
            failed_at=now.isoformat(),
        )
        self._metrics.dead_letters.labels(facts.kind).inc()
        if facts.kind == "internal":
            place = {"topic": facts.topic, "partition": facts.partition, "offset": facts.offset}
            log.error("record_failed", **place, exc_info=error)
        batch.emit([Output(self._topic, record.key, record.value, -1, facts.headers())])
