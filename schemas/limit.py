"""Limits that a provider sets: so many messages in so long, and so many at once."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from schemas.formats.durations import parse_duration

_NUMBER = re.compile(r"[0-9]{1,7}(?:\.[0-9]{1,6})?", re.ASCII)
_COUNT = re.compile(r"[0-9]{1,9}", re.ASCII)
_MOST_A_SECOND = 100_000
_LONGEST_SECONDS = 86_400.0
_HOW = "messages a second, as in 14 or 0.5, or a number in a time, as in 100/m or 3000/3s"


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` whole messages in any `seconds`."""

    count: int
    seconds: float

    @property
    def per_second(self) -> float:
        """Messages a second."""
        return self.count / self.seconds


@dataclass(frozen=True, slots=True)
class Limit:
    """The bounds of one destination, over all senders; None where it is not bounded."""

    rate: Rate | None = None
    concurrency: int | None = None


NO_LIMIT = Limit()
MOST_AT_ONCE = 10_000
"""The largest bound on what is under way that makes sense to be written."""


def rate_of(per_second: float) -> Rate:
    """So many messages a second, in whole messages."""
    return Rate(math.ceil(per_second), math.ceil(per_second) / per_second)


def written_limit(rate: str, concurrency: int) -> Limit:
    """The limit of an account as it is written: an empty rate, and 0 at once, are not bounded. Raises ValueError."""
    return Limit(parse_rate(rate) if rate else None, concurrency or None) if rate or concurrency else NO_LIMIT


def parse_rate(text: str) -> Rate:
    """`14`, `0.5`, `100/m`, `3000/3s`. Raises ValueError that says what is allowed."""
    count, slash, period = text.strip().partition("/")
    rate = _in_a_time(count, period) if slash else _a_second(count)
    if rate is None:
        raise ValueError(f'"{text[:40]}" is not valid: must be {_HOW}')
    if rate.seconds > _LONGEST_SECONDS or rate.per_second > _MOST_A_SECOND:
        raise ValueError(f'"{text[:40]}" is not valid: must be from 1 message a day to {_MOST_A_SECOND} a second')
    return rate


def _a_second(text: str) -> Rate | None:
    number = float(text) if _NUMBER.fullmatch(text) else 0.0
    return rate_of(number) if number else None


def _in_a_time(count: str, period: str) -> Rate | None:
    if not _COUNT.fullmatch(count) or not int(count):
        return None
    try:
        seconds = parse_duration(period if period[:1].isdigit() else f"1{period}").total_seconds()
    except ValueError:
        return None
    return Rate(int(count), seconds) if seconds else None
