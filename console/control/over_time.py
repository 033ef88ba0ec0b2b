"""The messages of a distribution over time: how many were sent, skipped or failed in each part of a range."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal

from store.read_models.counts import Bucket, Count

Became = Literal["sent", "skipped", "failed"]
Unit = Literal["minute", "hour", "day", "week"]

_LENGTHS: tuple[tuple[Unit, timedelta, timedelta], ...] = (
    ("minute", timedelta(minutes=1), timedelta(hours=3)),
    ("hour", timedelta(hours=1), timedelta(days=8)),
    ("day", timedelta(days=1), timedelta(days=200)),
    ("week", timedelta(days=7), timedelta.max),
)
"""The parts of a range, each with its length and the longest range that is divided so: some two hundred parts."""
_DECIDED: Mapping[str, Became] = {"skipped": "skipped"}
_ENDED: Mapping[str, Became] = {
    **dict.fromkeys(("sent", "recovered"), "sent"),
    **dict.fromkeys(("failed", "suppressed", "expired", "canceled"), "failed"),
}
"""Each message once: what was held is decided again, and what its provider reported later was sent before."""


@dataclass(frozen=True, slots=True)
class Range:
    """A range of time, and the one of the same length before it."""

    since: datetime
    until: datetime

    @property
    def before(self) -> Range:
        """The range of the same length that ends where this one begins."""
        return Range(self.since - (self.until - self.since), self.since)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a range, and the number of messages in it by what became of them."""

    since: datetime
    until: datetime
    records: Mapping[Became, int]

    def of(self, became: Became) -> int:
        """The messages in it of which that became."""
        return self.records.get(became, 0)

    @property
    def total(self) -> int:
        """The messages in it."""
        return sum(self.records.values())


@dataclass(frozen=True, slots=True)
class OverTime:
    """The parts of a range in order, all of one unit: the first and the last may be cut by the range."""

    unit: Unit
    parts: Sequence[Part]


def bucket_of(asked: Range) -> Bucket:
    """The buckets that a range is counted by to be divided."""
    unit, _ = _division(asked)
    return "day" if unit == "week" else unit


def over_time(asked: Range, zone: tzinfo, decided: Iterable[Count], ended: Iterable[Count]) -> OverTime:
    """The range divided, by counts in buckets of `bucket_of`; hours, days and weeks begin as in the zone."""
    unit, length = _division(asked)
    begins = beginnings(unit, length, asked, zone)
    found: list[dict[Became, int]] = [{} for _ in begins]
    _add(found, begins, decided, _DECIDED)
    _add(found, begins, ended, _ENDED)
    edges = [max(asked.since, begins[0]), *begins[1:], asked.until]
    return OverTime(unit, [Part(*each) for each in zip(edges, edges[1:], found, strict=False)])


def _division(asked: Range) -> tuple[Unit, timedelta]:
    return next((unit, length) for unit, length, most in _LENGTHS if asked.until - asked.since <= most)


def beginnings(unit: Unit, length: timedelta, asked: Range, zone: tzinfo) -> list[datetime]:
    """The moments at which the parts of a range begin; the first is not after the range's own beginning."""
    local = asked.since.astimezone(zone)
    if unit == "minute":
        first = local.replace(second=0, microsecond=0)
    elif unit == "hour":
        first = local.replace(minute=0, second=0, microsecond=0)
    else:  # a day may have 23 or 25 hours
        days = range((asked.until.astimezone(zone).date() - local.date()).days + 1)[:: length.days]
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
        all_of = ((midnight + timedelta(days=n)).replace(tzinfo=zone).astimezone(UTC) for n in days)
        return [one for one in all_of if one < asked.until]
    return [first.astimezone(UTC) + n * length for n in range(-(-(asked.until - first) // length))]


def _add(
    found: list[dict[Became, int]], begins: Sequence[datetime], counted: Iterable[Count], became: Mapping[str, Became]
) -> None:
    for one in counted:
        if one.at is None or one.outcome not in became:
            continue
        records, name = found[max(0, bisect_right(begins, one.at) - 1)], became[one.outcome]
        records[name] = records.get(name, 0) + one.records
