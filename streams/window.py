"""The hours in which a distribution may send, by the customer's wall clock: open now, or when it opens next."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from schemas.window import Window
from streams.verdict import Defer, Skip

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY = timedelta(days=1)
_LOOKED_AT = 9
"""Days from yesterday on: a week, the day before it whose night may go on, and the one after."""


def opens(window: Window, now: datetime, zone: tzinfo) -> datetime | None:
    """The moment, in UTC, at which the window opens next; None where it is open now."""
    try:
        today = now.astimezone(zone).date()
    except OverflowError:
        return None
    begins: datetime | None = None
    for start, end in _spans(window, today, zone):
        if start <= now < end:
            return None
        if start > now and (begins is None or start < begins):
            begins = start
    return begins


def closed(window: Window, now: datetime, zone: tzinfo) -> Defer | Skip | None:
    """An objection to sending now."""
    until = opens(window, now, zone)
    if until is None:
        return None
    said = f"sent {in_words(window)} in {zone}, where it is {now.astimezone(zone):%A %H:%M}"
    return Skip("quiet_hours", said) if window.outside != "hold" else Defer("quiet_hours", until, said)


def in_words(window: Window) -> str:
    """The hours and days of a window."""
    days = f" on {', '.join(window.days)}" if window.days else ""
    return f"from {window.begins} to {window.ends}{days}"


def _spans(window: Window, today: date, zone: tzinfo) -> Iterator[tuple[datetime, datetime]]:
    """Beginnings and ends around a day; one over midnight belongs to the day on which it begins."""
    begins, ends = time.fromisoformat(window.begins), _end(window.ends)
    for number in range(-1, _LOOKED_AT):
        try:
            day = today + number * _DAY
            last = day if ends is not None and ends > begins else day + _DAY
        except OverflowError:
            return
        if window.days and WEEKDAYS[day.weekday()] not in window.days:
            continue
        yield instant(day, begins, zone), instant(last, ends or time.min, zone)


def _end(written: str) -> time | None:
    """None is midnight, the end of the day."""
    return None if written == "24:00" else time.fromisoformat(written)


def instant(day: date, at: time, zone: tzinfo) -> datetime:
    """The first instant, in UTC, at which the wall clock shows a time or, where it leaps over it, a later one."""
    wall = datetime.combine(day, at, zone)
    first, second = (wall.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    if second >= first or first.astimezone(zone).replace(tzinfo=None) == wall.replace(tzinfo=None):
        return first
    return _leap(second, first, zone)


def _leap(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    """The instant between two at which the offset changes, to the second."""
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before).total_seconds() // 2)
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after
