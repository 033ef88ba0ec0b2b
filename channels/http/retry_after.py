"""The moment at which a provider wants to be asked again, as it is really written.

Sources: RFC 9110, 10.2.3 (Retry-After: seconds, or a date in any of the three forms of 5.6.7). Seen besides: fractions,
Unix time in seconds and finer, ISO 8601, dates without a zone, a header that stands there twice.
And where a limit's window ends: draft-ietf-httpapi-ratelimit-headers (RateLimit-Reset in seconds, RateLimit as
`limit=9, remaining=0, reset=5` until version 7 and as `"name";r=0;t=5` from 8 on), and the headers before it, which are
Unix time at one provider and seconds at another.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_NUMBER = re.compile(r"([+-]?[0-9]{1,20}(?:\.[0-9]*)?)\s*(?:,.*)?")
_UNIX_TIME = 1e9
"""From here on a number is a moment, not a wait: as a wait it would be more than thirty years."""
_FINEST = 1e11
"""A moment that is greater is written in milliseconds, or finer."""


_RESETS = ("ratelimit-reset", "x-ratelimit-reset", "x-rate-limit-reset", "x-ratelimit-reset-after")
_REMAINING = ("ratelimit-remaining", "x-ratelimit-remaining", "x-rate-limit-remaining")
_LIMITS = ("ratelimit", *_RESETS)
WAIT_HEADERS = ("retry-after", *_LIMITS, *_REMAINING)
"""All headers that say when, or whether that matters now."""
_NAME = re.compile(r'"[^"]{0,100}"')
_LEFT = re.compile(r"(?:^|[;\s])(?:r|remaining)\s*=\s*([0-9]{1,20})(?![0-9])", re.ASCII)
_ENDS = re.compile(r"(?:^|[;\s])(?:t|reset)\s*=\s*([0-9]{1,20})(?![0-9])", re.ASCII)
_LONGEST = 2000
"""More of a header is not looked at."""


def asked_seconds(headers: Mapping[str, str], now: datetime, *, is_throttled: bool) -> float | None:
    """Seconds from `now` that a reply asks to wait for, whatever header says so; None where none does.

    The end of a limit's window counts where nothing of it is left, or where the reply is that it was too much
    (`is_throttled`) and does not say what is left.
    """
    asked = retry_after_seconds(headers.get("retry-after"), now)
    return window_seconds(headers, now, is_throttled=is_throttled) if asked is None else asked


def window_seconds(headers: Mapping[str, str], now: datetime, *, is_throttled: bool = False) -> float | None:
    """Seconds until a limit's window ends that nothing is left of, whatever the reply is; None where none is.

    Less than nothing is left where it was too much; elsewhere a negative number says that there is no limit.
    """
    if not any(name in headers for name in _LIMITS):
        return None
    ends = _ends_of_windows(headers.get("ratelimit") or "", is_throttled=is_throttled)
    left = next((text for name in _REMAINING if (text := headers.get(name)) is not None), None)
    if is_throttled if left is None else _is_nothing(left, is_throttled=is_throttled):
        ends += [wait for name in _RESETS if (wait := retry_after_seconds(headers.get(name), now)) is not None][:1]
    return max(ends, default=None)


def _ends_of_windows(text: str, *, is_throttled: bool) -> list[float]:
    """Those of the limits that nothing is left of."""
    bare = _NAME.sub("", text[:_LONGEST])
    limits = [bare.replace(",", ";")] if "reset" in bare else bare.split(",")  # the old form is one limit, with commas
    found = []
    for limit in limits:
        left, ends = _LEFT.search(limit), _ENDS.search(limit)
        if ends and (is_throttled if left is None else int(left[1]) == 0):
            found.append(float(ends[1]))
    return found


def _is_nothing(text: str, *, is_throttled: bool) -> bool:
    written = _NUMBER.fullmatch(text.strip())
    left = float(written[1]) if written else 1.0
    return left == 0 or (left < 0 and is_throttled)


def retry_after_seconds(header: str | None, now: datetime) -> float | None:
    """Seconds from `now`, never negative; None where nothing was said, or nothing that can be understood."""
    text = (header or "")[:_LONGEST].strip()
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
