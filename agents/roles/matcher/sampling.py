"""Fields of a sample of events: which of those that distributions use are there, and of which kind."""

from __future__ import annotations

from datetime import datetime, timedelta

from agents.telemetry.metrics import Metrics
from schemas.errors import BadRecord
from store.fields_seen import KEPT, SLOT, FieldKey, FieldsSeen, SeenKinds
from streams.event_context import EventContext
from streams.index.rules import RuleIndex

MOST = 50_000
"""Counts in memory: with more subjects, fields and kinds than that the rest is not counted."""
_AT_A_TIME = 5_000


class FieldSamples:
    """The counts of one run of a matcher: at most so many events a second of each type of each project are looked into.

    They are counted by the time of the event, so that events that are read again change nothing about the newest.
    """

    def __init__(self, a_second: float, metrics: Metrics, *, most: int = MOST) -> None:
        self._a_turn, self._turn = max(1, int(a_second)), timedelta(seconds=max(1.0, 1 / a_second))
        self._metrics, self._most = metrics, most
        self._turns: dict[tuple[str, str], tuple[datetime, int]] = {}
        self._counts: dict[FieldKey, SeenKinds] = {}

    def note(self, context: EventContext, index: RuleIndex, topic: str, place: tuple[int, int], now: datetime) -> None:
        """Look into an event, where its turn has come. `place`: its partition and offset."""
        head = context.head
        type_key = (head.project_id, head.type)
        began, taken = self._turns.get(type_key, (now, 0))
        if not began <= now < began + self._turn:
            began, taken = now, 0
        elif taken >= self._a_turn:
            return
        self._turns[type_key] = (began, taken + 1)
        slot = _slot(min(head.created_at, now))
        if slot < now - KEPT:
            return
        try:
            seen = list(index.fields.seen_in(context))
        except BadRecord:  # it was matched without what cannot be read
            return
        example = f"{topic}-{place[0]}@{place[1]}"
        for subject, path, kind in seen:
            self._add(FieldKey(head.project_id, subject, path, slot, kind), example)

    def _add(self, key: FieldKey, example: str) -> None:
        before = self._counts.get(key)
        if before is None and len(self._counts) >= self._most:
            self._metrics.watch_uncounted.inc()
            return
        self._counts[key] = SeenKinds(1 if before is None else before.events + 1, example)

    async def write(self, seen: FieldsSeen) -> None:
        """Write what was counted since the last time. Raises TryLater: then it is written with the next."""
        keys = sorted(self._counts)
        for start in range(0, len(keys), _AT_A_TIME):
            some = {key: self._counts[key] for key in keys[start : start + _AT_A_TIME]}
            await seen.add(some)
            for key, written in some.items():
                left = self._counts[key].events - written.events
                if left:
                    self._counts[key] = self._counts[key]._replace(events=left)
                else:
                    del self._counts[key]


def _slot(moment: datetime) -> datetime:
    """The begin of the slot that a moment is in."""
    epoch = datetime.fromtimestamp(0, moment.tzinfo)
    return epoch + (moment - epoch) // SLOT * SLOT
