"""The segments that a customer is in, as matchers keep them: those that segmenters tell, and upstream's own.

A segmenter tells all of a customer's segments at once, and the newest counts. Upstream's are known by their events
alone, so of each segment the latest event counts, whenever it is read.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from schemas.membership import Memberships
from streams.conditions.answer import Misfit
from streams.identity import is_of_segmenter
from streams.segments import ENTERED, LEFT

SEGMENT_EVENTS = frozenset({ENTERED, LEFT})

Members = list[str] | Misfit
"""Ids of segments, sorted; or why they are not known, which every test of them fails with."""

_LEFT_KEPT = 100
"""Segments of upstream that a customer has left, of which it is remembered when: older events are read again."""
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


class _Row(msgspec.Struct, omit_defaults=True):
    """`told`: ids that a segmenter told with this revision. `events`: of upstream's, in or not and since (Unix ms)."""

    told: list[str] = []
    revision: int = 0
    events: dict[str, tuple[bool, int]] = {}


_ROWS = msgspec.json.Decoder(_Row)


def unknown(why: str) -> Misfit:
    """Memberships that nobody can say."""
    return Misfit("customer.segments", "list", why)


def members(row: bytes | None) -> list[str]:
    """The segments of a customer with this row."""
    known = _read(row)
    return sorted({*known.told, *(segment for segment, (is_in, _) in known.events.items() if is_in)})


def with_told(row: bytes | None, told: Memberships | None) -> bytes | None:
    """A row with what a segmenter told; None as told: the customer is in none of its segments, and has none behind.

    What is older than what is there changes nothing.
    """
    known = _read(row)
    if told is None:
        known.told, known.revision = [], 0
    elif told.revision >= known.revision:
        known.told, known.revision = told.segments, told.revision
    return _written(known)


def with_event(row: bytes | None, event_id: str, kind: str, segment: str, at: datetime) -> bytes | None:
    """A row with an entry into a segment of upstream's, or a leave. Those of segmenters are told otherwise."""
    known, moment = _read(row), (at - _EPOCH) // timedelta(milliseconds=1)
    before = known.events.get(segment)
    if is_of_segmenter(event_id) or (before is not None and moment < before[1]):
        return row
    known.events[segment] = (kind == ENTERED, moment)
    left = sorted((since, one) for one, (is_in, since) in known.events.items() if not is_in)
    for _, gone in left[:-_LEFT_KEPT]:
        del known.events[gone]
    return _written(known)


def erased(row: bytes | None, stamp: int) -> bytes | None:
    """A row without what upstream told of an erased customer up to then (Unix ms); a segmenter takes back its own."""
    known = _read(row)
    known.events = {one: (is_in, since) for one, (is_in, since) in known.events.items() if since > stamp}
    return _written(known)


def _read(row: bytes | None) -> _Row:
    return _Row() if row is None else _ROWS.decode(row)


def _written(known: _Row) -> bytes | None:
    return msgspec.json.encode(known) if known.revision or known.events else None
