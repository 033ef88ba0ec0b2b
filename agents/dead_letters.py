"""A record that cannot be processed, on its way to `dead-letters` with its own bytes."""

from __future__ import annotations

from datetime import datetime

from agents.transport.batch import Batch, Incoming, Output
from schemas.closed import Role
from schemas.dead_letter import DeadLetter
from schemas.errors import BadRecord
from schemas.topics import DEAD_LETTERS


def dead_letter(
    batch: Batch, record: Incoming, error: Exception, *, role: Role, prefix: str, now: datetime
) -> tuple[DeadLetter, Output]:
    """Key and value as they came; where and why in the headers. An error that is not ours is of kind `internal`."""
    facts = DeadLetter(
        topic=str(batch.tp.topic).removeprefix(prefix),
        partition=batch.partition,
        offset=record.offset,
        role=role,
        kind=error.kind if isinstance(error, BadRecord) else "internal",
        message=str(error) if isinstance(error, BadRecord) else f"{type(error).__name__}: {error}",
        path=error.path if isinstance(error, BadRecord) else "",
        failed_at=now.isoformat(),
    )
    return facts, Output(prefix + DEAD_LETTERS, record.key, record.value, -1, facts.headers())
