"""The lag of the read models, as replies that are made of them say it."""

from __future__ import annotations

import msgspec

from console.api.route import Instant
from console.control.recorded_lag import Behind


class NotRecorded(msgspec.Struct, frozen=True, kw_only=True):
    """Records of decisions and deliveries that recorders have not read, and when the oldest reached Kafka."""

    records: int
    since: Instant | None


def not_recorded(behind: Behind | None) -> NotRecorded | None:
    """The lag; None where it is not known."""
    return None if behind is None else NotRecorded(records=behind.records, since=behind.since)
