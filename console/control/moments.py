"""Moments as people write them where they ask for the past: a time, a day, or a span before now."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from schemas.errors import BadQuestion
from schemas.formats.durations import parse_duration

_AGO = re.compile(r"(.+?)(?:\s+ago)?")
_FIRST, _LAST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)
"""Moments that have a date in every zone."""


def moment_or_ago(name: str, written: str, now: datetime, zone: tzinfo = UTC) -> datetime:
    """The moment of an option; a time without an offset, and a day's begin, are of a zone. Raises BadQuestion."""
    try:
        found = _AGO.fullmatch(written.strip())
        ago = parse_duration(found[1] if found else written)
    except ValueError:
        ago = None
    try:
        if isinstance(ago, timedelta):
            return now - ago
        moment = datetime.fromisoformat(written.strip())
        aware = moment.replace(tzinfo=zone) if moment.tzinfo is None else moment
        return min(max(aware, _FIRST), _LAST)
    except (ValueError, OverflowError):
        raise BadQuestion(
            f'"{written}" is not valid: must be a time such as 2026-11-20T08:00Z, a day, or a span before now '
            "such as 30m, 12h or 3d",
            name,
        ) from None


def range_until_now(
    given: Mapping[str, Any], since_default: str, now: datetime, zone: tzinfo
) -> tuple[datetime, datetime]:
    """The range of `since` and `until` as somebody wrote them, until now where no end is given. Raises BadQuestion."""
    since = moment_or_ago("since", given.get("since") or since_default, now, zone)
    until = moment_or_ago("until", given["until"], now, zone) if given.get("until") else now
    if until <= since:
        raise BadQuestion(f"{until.isoformat()} is not after since, which is {since.isoformat()}", "until")
    return since, until
