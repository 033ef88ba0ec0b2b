"""Fields that used to be there and are gone, or are of another kind, in the newest events of a sample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from schemas.watching import FieldHistory, FieldSlot
from streams.used_fields import MISSING

NEWEST = 30
"""Events that are held against those before: a few wrong records of a producer are no change."""
_LEAST_BEFORE = 100
"""Events before, and days that they cover, below which nothing is usual yet."""
_LEAST_HISTORY = timedelta(days=3)
_USUAL = 0.8
"""The share of events that have a field which is usually there, and of its values that are of its usual kind."""
_NEARLY_ALL = 0.95
_STILL = 0.5
"""The share of the newest events that are otherwise: from which on it is told, and down to which it is not over."""
_LEAST_LULL = 10
_LULLS = 2
"""Days on which it was so for an hour, or a slot, of so many events at least, from which on that is usual: a job at
night that has no such field.
"""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field that was of the kind `before` in a `share` of events; `now` is empty where it is missing.

    `otherwise` of the newest `of` events are so, `example` is the place of one of them.
    """

    before: str
    share: float
    now: str
    otherwise: int
    of: int
    example: str


def field_change(found: FieldHistory, told_at: datetime | None = None) -> FieldChange | None:
    """The change of a field. `told_at`: its owner was told then, and hears of its end once it is over.

    The newest events are not among those that they are held against, nor is anything since it was told: what is wrong
    for long would become usual by that.
    """
    newest, start = _newest(found.slots)
    if newest is None or start is None:
        return None
    until = start if told_at is None else min(start, told_at)
    slots = [slot for slot in found.slots if slot.until <= until]
    before = _sum(slots)
    if before.total() < _LEAST_BEFORE or start - slots[0].start < _LEAST_HISTORY:
        return None
    usual, limit = _usual(before), _NEARLY_ALL if told_at is None else _STILL
    if usual is None:
        return None
    share = 1 - before[MISSING] / before.total()
    for now, otherwise, of in _readings(newest, usual):
        if 2 * of >= NEWEST and otherwise / of >= limit and not _is_lull(slots, usual, is_gone=now == MISSING):
            return FieldChange(usual, share, now, otherwise, of, _example(found.slots, now))
    return None


def _usual(before: Counter[str]) -> str | None:
    """The kind that a field usually has; None for one that is often missing, or of several kinds."""
    there = before.total() - before[MISSING]
    if there < _USUAL * before.total():
        return None
    kind, count = max(((one, number) for one, number in before.items() if one != MISSING), key=lambda pair: pair[1])
    return kind if count >= _USUAL * there else None


def _readings(newest: Counter[str], usual: str) -> list[tuple[str, int, int]]:
    """Kinds that it has otherwise, with how many of how many: missing of all, another kind of those that have it."""
    there = newest.total() - newest[MISSING]
    readings = [(MISSING, newest[MISSING], newest.total())]
    others = [(number, one) for one, number in newest.items() if one not in (MISSING, usual)]
    if others:
        readings.append((max(others)[1], there - newest[usual], there))
    return readings


def _is_lull(slots: Iterable[FieldSlot], usual: str, *, is_gone: bool) -> bool:
    """True where it was so before, on several days."""
    days = set()
    for slot in slots:
        kinds = Counter(slot.kinds)
        of = kinds.total() if is_gone else kinds.total() - kinds[MISSING]
        otherwise = kinds[MISSING] if is_gone else of - kinds[usual]
        if of >= _LEAST_LULL and otherwise >= _NEARLY_ALL * of:
            days.add(slot.start.date())
    return len(days) >= _LULLS


def _newest(slots: Sequence[FieldSlot]) -> tuple[Counter[str] | None, datetime | None]:
    """The kinds in the newest slots that have enough events together, and when these begin."""
    found = Counter[str]()
    for slot in reversed(slots):
        found.update(slot.kinds)
        if found.total() >= NEWEST:
            return found, slot.start
    return None, None


def _sum(slots: Iterable[FieldSlot]) -> Counter[str]:
    found = Counter[str]()
    for slot in slots:
        found.update(slot.kinds)
    return found


def _example(slots: Sequence[FieldSlot], kind: str) -> str:
    return next(slot.examples[kind] for slot in reversed(slots) if kind in slot.examples)
