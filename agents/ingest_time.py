"""The time at which an event reached Kafka: it travels along with all that the event causes, to time the whole way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from agents.broker.records import Headers, Incoming

ARRIVED_HEADER = "tidings-arrived-at"
"""On a delivery, and on a request for a code: Unix milliseconds."""


def arrived_header(record: Incoming) -> Headers:
    """The header of a record, to be passed on as it is; empty where it has none."""
    return [(name, value) for name, value in record.headers if name == ARRIVED_HEADER]


def header_of(stamp: int) -> Headers:
    """The header that says when an event reached Kafka, in Unix milliseconds."""
    return [(ARRIVED_HEADER, str(stamp).encode())]


def arrived_at(record: Incoming) -> datetime:
    """The time at which the event behind a record reached Kafka; where that was not passed on, the record's own."""
    for name, value in record.headers:
        if name == ARRIVED_HEADER and value and value.isdigit():
            return moment(int(value))
    return moment(stamp(record))


def stamp(record: Incoming) -> int:
    """A record's timestamp in Unix milliseconds; -1 where it has none."""
    return -1 if record.timestamp is None else record.timestamp


@lru_cache(maxsize=256)
def moment(milliseconds: int) -> datetime:
    """A record's timestamp, in Unix milliseconds. Anything may stand there; what no calendar has is its nearest day.

    Records that were written together have one, mostly.
    """
    return _EPOCH + timedelta(milliseconds=min(max(milliseconds, 0), _LAST))


_EPOCH = datetime.fromtimestamp(0, UTC)
_LAST = 253_402_214_400_000
"""The last day of the year 9999, in every time zone."""
