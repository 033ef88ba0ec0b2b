"""The index: the guards that an event may fit, found without trying them all.

A selection leads to a bucket (`buckets.py`). In it a guard stands under values that it demands (`demands.py`), and
there, where others stand as well and it has a numeric bound, in a list sorted by that (`table.py`). One that demands no
value stands under none, sorted by its bound or always tried.

One guard goes in or out without touching the others. The index may return guards that do not fit; it never leaves one
out that would fit or fail with an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, tzinfo
from functools import partial
from itertools import chain, islice
from typing import Any

from schemas.events.triggers import TRIGGERS
from schemas.record import Record
from streams.conditions.compile import Compiler
from streams.event_context import EventContext, Head, item_structs, reader
from streams.index.buckets import Bucket
from streams.index.guard import Guard, Guarded, compile_guard
from streams.index.table import Candidate
from streams.selection import Selection, pairs_of


class GuardIndex:
    """The buckets in which events find guards. Who puts one in keeps it, to take it out.

    `zone`: where days begin for guards without one of their own.
    """

    def __init__(self, zone: tzinfo = UTC) -> None:
        self._zone = zone
        self._buckets: dict[tuple[Any, ...], Bucket] = {}
        self._compilers: dict[tuple[type[Record], tzinfo], Compiler] = {}

    def compile(self, guarded: Guarded) -> Guard:
        """Make a condition ready. Tests that are alike are shared with the other guards."""
        data, zone = TRIGGERS[guarded.selection.event].data, guarded.zone or self._zone
        if (data, zone) not in self._compilers:
            self._compilers[data, zone] = Compiler(
                partial(reader, data=data), remember=True, here=zone, structs=partial(item_structs, data=data)
            )
        return compile_guard(guarded, self._compilers[data, zone])

    def add(self, guard: Guard) -> None:
        """Have events find it from here on."""
        if guard.selection not in self._buckets:
            self._buckets[guard.selection] = Bucket(TRIGGERS[guard.selection.event].data)
        self._buckets[guard.selection].add(guard)

    def discard(self, guard: Guard) -> None:
        """No event finds it any more."""
        bucket = self._buckets[guard.selection]
        bucket.discard(guard)
        if not bucket.size:
            del self._buckets[guard.selection]

    def buckets(self, head: Head[Any]) -> list[Bucket]:
        """The buckets of an event's type and what it is about; empty where no guard is for it."""
        project, kind = head.project_id, head.type
        bucket = self._buckets.get((project, kind, None))
        found = [] if bucket is None else [bucket]
        trigger = TRIGGERS[kind]
        selecting = trigger.selecting
        if not selecting:
            return found
        if len(selecting) == 1:
            chosen = getattr(head.data, selecting[0], None)
            bucket = self._buckets.get((project, kind, chosen.id)) if chosen is not None else None
            if bucket is not None:
                found.append(bucket)
        else:
            selected = (self._buckets.get((project, kind, pair)) for pair in pairs_of(trigger, head.data))
            found.extend(bucket for bucket in selected if bucket is not None)
        return found

    def some_for(self, head: Head[Any], begin: int, most: int) -> Iterator[str]:
        """Ids of guards where an event looks, fitting or not: at most so many, from any number on, around."""
        for bucket in self.buckets(head):
            start, ids = begin % bucket.size, bucket.ids()
            yield from islice(chain(islice(ids, start, None), islice(ids, start)), most)

    def candidates(self, context: EventContext) -> tuple[list[Candidate], int]:
        """The guards that may fit, and how many of the event's type and selection were passed over."""
        found: list[Candidate] = []
        size = 0
        for bucket in self.buckets(context.head):
            size += bucket.size
            bucket.append_candidates(context, found)
        return found, size - len(found)

    def unindexed(self) -> list[tuple[Selection, str]]:
        """The guards that every event of their selection has to try: selection and id."""
        return [(Selection(*key), one) for key, bucket in self._buckets.items() for one in bucket.always()]
