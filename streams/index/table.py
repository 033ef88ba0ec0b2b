"""Guards by the values that some paths must have together, and those beyond the first few sorted by a bound."""

from __future__ import annotations

import bisect
from datetime import datetime
from typing import NamedTuple

from schemas.record import Record
from streams.conditions.answer import Answer, Run
from streams.conditions.getter import Getter
from streams.conditions.language import Path
from streams.event_context import EventContext, reader
from streams.index.guard import Guard, Threshold

TableKey = tuple[int | None, ...] | int | None
"""The numbers of the values of a table's paths; of one path the number itself, of none None."""

_MAX_UNSORTED = 4
"""Guards under one key that are tried one by one, before further ones are sorted by a bound."""


class Candidate(NamedTuple):
    """A guard that may fit, and which of its tests are left; it fits where all are true."""

    guard: Guard
    tests: tuple[Run, ...]

    def answer(self, context: EventContext, now: datetime) -> Answer:
        """False where a test is, whatever the others are; where one fails, what the whole guard says of it."""
        failed = False
        for test in self.tests:
            answer = test(context, now)
            if answer is False:
                return False
            failed = failed or answer is not True
        return self.guard.run(context, now) if failed else True


class Table:
    """Guards by the values that some paths must have together. No path at all: one key, for every event.

    The first few under a key are simply tried; further ones that have a bound stand sorted by it.
    """

    __slots__ = ("_data", "sorted", "unsorted")

    def __init__(self, data: type[Record]) -> None:
        self._data = data
        self.unsorted: dict[TableKey, list[Candidate]] = {}
        self.sorted: dict[TableKey, dict[tuple[Path, bool], _BoundList]] = {}

    def is_empty(self) -> bool:
        """True where no guard stands here."""
        return not self.unsorted and not self.sorted

    def add(self, key: TableKey, guard: Guard, covered: frozenset[int]) -> None:
        """Under a key, which `covered` parts of the guard hold for."""
        unsorted, bound = self.unsorted.setdefault(key, []), guard.threshold
        if bound is None or len(unsorted) < _MAX_UNSORTED:
            unsorted.append(Candidate(guard, guard.without(covered)))
            return
        by_bound = self.sorted.setdefault(key, {})
        place = (bound.path, bound.rising)
        if place not in by_bound:
            by_bound[place] = _BoundList(reader(bound.path, self._data), rising=bound.rising)
        by_bound[place].add(bound, guard, covered)

    def discard(self, key: TableKey, guard: Guard) -> None:
        """No longer under a key."""
        if not self._discard_unsorted(key, guard) and guard.threshold is not None:
            place = (guard.threshold.path, guard.threshold.rising)
            self.sorted[key][place].discard(guard.threshold, guard)
            if not self.sorted[key][place].bounds:
                del self.sorted[key][place]
                if not self.sorted[key]:
                    del self.sorted[key]

    def _discard_unsorted(self, key: TableKey, guard: Guard) -> bool:
        unsorted = self.unsorted.get(key, [])
        rest = [candidate for candidate in unsorted if candidate.guard is not guard]
        if rest:
            self.unsorted[key] = rest
        else:
            self.unsorted.pop(key, None)
        return len(rest) < len(unsorted)


class _BoundList:
    """Guards sorted by a bound, so that those whose bound is reached are a slice."""

    __slots__ = ("_reached", "_read", "_rising", "_unsure", "bounds")

    def __init__(self, read: Getter, *, rising: bool) -> None:
        self._read = read
        self._rising = rising
        self.bounds: list[tuple[float, bool]] = []
        self._reached: list[Candidate] = []
        self._unsure: list[Candidate] = []

    def add(self, bound: Threshold, guard: Guard, covered: frozenset[int]) -> None:
        at = bisect.bisect_left(self.bounds, self._order(bound))
        self.bounds.insert(at, self._order(bound))
        known = covered | {bound.part} if bound.exact else covered
        self._reached.insert(at, Candidate(guard, guard.without(known)))
        self._unsure.insert(at, Candidate(guard, guard.without(covered)))

    def discard(self, bound: Threshold, guard: Guard) -> None:
        at = bisect.bisect_left(self.bounds, self._order(bound))
        while self._reached[at].guard is not guard:
            at += 1
        del self.bounds[at], self._reached[at], self._unsure[at]

    def _order(self, bound: Threshold) -> tuple[float, bool]:
        """Equal bounds in the order in which a value reaches them: rising `>=` before `>`, falling `<` before `<=`."""
        return bound.bound, bound.strict if self._rising else not bound.strict

    def append_candidates(self, context: EventContext, found: list[Candidate]) -> None:
        value = self._read(context)
        if value is None:
            return
        if type(value) not in (int, float) or value != value:  # noqa: PLR0124 - NaN is the one that differs from itself
            found.extend(self._unsure)  # their test fails, or is false
        elif self._rising:
            found.extend(self._reached[: bisect.bisect_right(self.bounds, (value, False))])
        else:
            found.extend(self._reached[bisect.bisect_left(self.bounds, (value, True)) :])
