"""The count of a cap: what a customer got lately of what it counts, and when there is room for one more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from schemas.closed import ChannelName
from schemas.distribution import Cap
from schemas.formats.durations import format_duration
from streams.recent import Sent, category_number, channel_number
from streams.window import instant

LONGEST = timedelta(days=90)
"""The longest span of a cap: what it counts is kept in each customer's row."""
_DAY = timedelta(days=1)
_LONGEST_SECONDS = {"day": 86_400 + 7_200, "week": 7 * 86_400 + 7_200, "month": 31 * 86_400 + 7_200}
"""With what a change of the clocks adds to a day."""


@dataclass(frozen=True, slots=True)
class Counted:
    """The messages that a cap has counted within its time. `free_at` is the moment at which there is room for one
    more; None where there is room now."""

    count: int
    free_at: datetime | None = None


def applies(cap: Cap, channel: ChannelName, category: str) -> bool:
    """True where a cap is for messages of a channel and a category."""
    return cap.name is None or cap.name == (channel if cap.scope == "channel" else category)


def count(
    cap: Cap, channel: ChannelName, category: str, recent: Iterable[Sent], now: datetime, zone: tzinfo
) -> Counted:
    """Count for a message of a channel and a category to a customer in a zone."""
    times = sorted(one.counted_at for one in recent if one.channel and _is_counted(cap, channel, category, one))
    since, ends = _within(cap, now, zone)
    inside = [one for one in times if one >= since]
    if len(inside) < cap.at_most:
        return Counted(len(inside))
    frees = ends or datetime.fromtimestamp(inside[-cap.at_most] + (cap.seconds or 1), UTC)
    return Counted(len(inside), frees)


def span(cap: Cap) -> int:
    """The seconds for which a cap needs what it has counted."""
    return cap.seconds or 1 if cap.within == "span" else _LONGEST_SECONDS.get(cap.within, _LONGEST_SECONDS["month"])


def in_words(cap: Cap) -> str:
    """A cap as in `2 in week of marketing`."""
    what = {"channel": "one channel", "category": "one category", "project": "all"}.get(cap.scope, cap.scope)
    return f"{cap.at_most} in {_time(cap)} of {cap.name or what}"


def within_words(cap: Cap) -> str:
    """The time in which a cap counts, as in `this week`."""
    return f"the last {_time(cap)}" if cap.within == "span" else f"this {cap.within}"


def _time(cap: Cap) -> str:
    return format_duration(cap.seconds or 1) if cap.within == "span" else cap.within


def _is_counted(cap: Cap, channel: ChannelName, category: str, one: Sent) -> bool:
    match cap.scope:
        case "channel":
            return one.channel == channel_number(channel)
        case "category":
            return one.category == category_number(category)
        case _:  # one that this release does not know counts all, so that nothing is sent too much
            return True


def _within(cap: Cap, now: datetime, zone: tzinfo) -> tuple[int, datetime | None]:
    """The second from which it counts, and the end of the time where that is the same for all that is counted."""
    if cap.within == "span":
        return int(now.timestamp()) - (cap.seconds or 1) + 1, None
    today = now.astimezone(zone).date()
    begins, ends = _calendar(cap, today)
    return int(instant(begins, time.min, zone).timestamp()), instant(ends, time.min, zone)


def _calendar(cap: Cap, today: date) -> tuple[date, date]:
    match cap.within:
        case "day":
            return today, today + _DAY
        case "week":
            monday = today - today.weekday() * _DAY
            return monday, monday + 7 * _DAY
        case _:
            first = today.replace(day=1)
            return first, (first + 31 * _DAY).replace(day=1)
