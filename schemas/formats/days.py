"""Days and moments as people write them, in the zone of a project: when a day begins, and until when it holds.

An end that is a day holds through that day: its last instant is kept, so that a date shown in the same zone is the
written one. A start that is a day begins with it. A time without an offset is the wall clock's in that zone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from schemas.events.objects import PLAIN_DAYS
from schemas.formats.blank import trimmed
from schemas.names import ROUGHLY_LIKE, did_you_mean

_TICK = timedelta(milliseconds=1)
"""The precision of dates in messages."""
_FIRST = datetime(1, 1, 2, tzinfo=UTC)
_LAST = datetime(9999, 12, 30, 23, 59, 59, 999_000, tzinfo=UTC)
"""The first and the last moment that have a date in every zone; beyond stands what means "always" or "never"."""
_LENGTH_OF_DATE = len("2026-11-20")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def zone_of(name: str) -> ZoneInfo:
    """The zone of an IANA name. Raises ValueError that says which was probably meant."""
    if name != "UTC" and name not in _names():
        hint = did_you_mean(name, _names(), ROUGHLY_LIKE) or did_you_mean(name.title(), _names(), ROUGHLY_LIKE)
        raise ValueError(f'"{name}" is not a timezone of the IANA database, as in Europe/Warsaw.{hint}')
    return ZoneInfo(name)


@lru_cache(1)
def _names() -> frozenset[str]:
    return frozenset(available_timezones())


def day_begins(day: date, zone: tzinfo) -> datetime:
    """The first instant of a day in a zone, in UTC, whatever the clocks do at midnight."""
    try:
        begins = datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
    except OverflowError:
        begins = _FIRST
    return min(max(begins, _FIRST), _LAST)


def day_ends(day: date, zone: tzinfo) -> datetime:
    """The last instant of a day in a zone, in UTC; the day holds up to it."""
    if day >= _LAST.date():
        return _LAST
    return day_begins(day + timedelta(days=1), zone) - _TICK


def written_day(value: Any) -> Any:
    """A date without the time that stands behind it; anything else as it is."""
    text = trimmed(value) if isinstance(value, str) else ""
    return text[:_LENGTH_OF_DATE] if read_moment(text, UTC) else value


def with_written_days(objects: Mapping[str, Any]) -> dict[str, Any]:
    """An event's objects, in which fields that are days say the written day, whatever time stands behind it."""
    return {name: _written_days(one, deeper=True) if isinstance(one, dict) else one for name, one in objects.items()}


def _written_days(members: dict[str, Any], *, deeper: bool) -> dict[str, Any]:
    changed = {name: written_day(members[name]) for name in PLAIN_DAYS if name in members}
    metadata = members.get("metadata") if deeper else None
    if isinstance(metadata, dict):
        changed["metadata"] = _written_days(metadata, deeper=False)
    return {**members, **changed} if changed else members


def read_moment(written: object, zone: tzinfo, *, is_end: bool = False) -> datetime | None:
    """A date or a point in time, as text or as YAML and TOML read it, in UTC; None for anything else."""
    value = written.isoformat() if isinstance(written, date) else written
    value = trimmed(value) if isinstance(value, str) else value
    if not isinstance(value, str) or not _DATE.match(value):
        return None
    try:
        if len(value) == _LENGTH_OF_DATE:
            day = date.fromisoformat(value)
            return day_ends(day, zone) if is_end else day_begins(day, zone)
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
