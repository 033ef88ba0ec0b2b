"""The moment at which a provider wants to be asked again: the header Retry-After as it is really written.

Sources: RFC 9110, 10.2.3 (seconds, or a date in any of the three forms of 5.6.7). Seen besides: fractions, Unix time in
seconds and finer, ISO 8601, dates without a zone, a header that stands there
twice.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_NUMBER = re.compile(r"([+-]?[0-9]{1,20}(?:\.[0-9]*)?)\s*(?:,.*)?")
_UNIX_TIME = 1e9
"""From here on a number is a moment, not a wait: as a wait it would be more than thirty years."""
_FINEST = 1e11
"""A moment that is greater is written in milliseconds, or finer."""


def retry_after_seconds(header: str | None, now: datetime) -> float | None:
    """Seconds from `now`, never negative; None where nothing was said, or nothing that can be understood."""
    text = (header or "").strip()
    written = _NUMBER.fullmatch(text)
    if written:
        number = float(written[1])
        return max(0.0, number if number < _UNIX_TIME else _moment(number) - now.timestamp())
    when = _date(text)
    return None if when is None else max(0.0, (when - now).total_seconds())


def _moment(number: float) -> float:
    while number >= _FINEST:
        number /= 1000
    return number


def _date(text: str) -> datetime | None:
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            when = read(text)
            return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None
