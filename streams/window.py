"""The hours in which a distribution may send, by the customer's wall clock: open now, or when it opens next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache, reduce
from operator import and_, or_

from schemas.distribution import TRANSACTIONAL, Distribution
from schemas.window import QuietHours, Window
from streams.holidays import NOWHERE, Place, holiday, known_place
from streams.verdict import Defer, Skip

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_NAMES = tuple(day.title() for day in WEEKDAYS)
_DAY = timedelta(days=1)
NEVER = datetime.max.replace(tzinfo=UTC)
_DAY_MINUTES, _WEEK_MINUTES = 24 * 60, 7 * 24 * 60
_TRIES = 64
"""Moments at which one of several windows opens that are looked at: more than a week has."""
_LOOKED_AT = 9
"""Days from yesterday on: a week, the day before it whose night may go on, and the one after."""
_LOOKED_AT_WITH_HOLIDAYS = 100
"""The same where days are left out: no weekday is a holiday in so many weeks."""


def opens(window: Window, now: datetime, zone: tzinfo, place: Place = NOWHERE) -> datetime | None:
    """The moment, in UTC, at which the window opens next; None where it is open now."""
    try:
        today = now.astimezone(zone).date()
    except OverflowError:
        return None
    where = place if window.closed_on_holidays else NOWHERE
    for start, end in _spans(window.begins, window.ends, tuple(window.days), today, zone, where):
        if start <= now < end:
            return None
        if start > now:
            return start
    return None


def opens_together(windows: Sequence[Window], now: datetime, zone: tzinfo, place: Place = NOWHERE) -> datetime | None:
    """The moment at which all are open; None where they are now, `NEVER` where that does not come."""
    moment = now
    for _ in range(_TRIES):
        later = [found for window in windows if (found := opens(window, moment, zone, place))]
        if not later:
            return None if moment is now else moment
        moment = max(later)
    return NEVER


def closed(
    window: Window | None, until: datetime, now: datetime, zone: tzinfo, place: Place, said: str
) -> Defer | Skip:
    """The objection to sending now, of hours that are open together from a moment on: its window may say skip.

    One that gives way to the next channel does so for quiet hours, too: the message is to leave now.
    """
    if until is NEVER:
        return Skip("quiet_hours", f"{said}: there is no such hour")
    if window and window.outside == "next_channel":
        return Skip("quiet_hours", said)
    is_skipped = window and window.outside != "hold" and opens(window, now, zone, place)
    return Skip("quiet_hours", said) if is_skipped else Defer("quiet_hours", until, said)


def both(window: Window | None, quiet: QuietHours | None) -> list[Window]:
    """Those of the two that are there, as hours in which something is sent."""
    return [*([window] if window else ()), *(quiet.open if quiet else ())]


def quiet_hours_of(rule: Distribution, channel: str) -> QuietHours | None:
    """Those of a distribution's project, where they count on a channel: what is transactional is exempt."""
    quiet = rule.quiet_hours
    if quiet is None or rule.consent == TRANSACTIONAL or (quiet.channels and channel not in quiet.channels):
        return None
    return quiet


def never_sent(rule: Distribution) -> Iterator[tuple[str, str]]:
    """Each key whose hours leave none in which something is sent, and why."""
    ways = [("", rule.channels), *((f"arms.{arm.id}: ", arm.channels) for arm in rule.arms)]
    for way, channels in ways:
        together: list[Window] = []
        for index, plan in enumerate(channels):
            window, quiet = plan.window or rule.window, quiet_hours_of(rule, plan.channel)
            hours = both(window, quiet)
            together += hours
            if not ever_open(hours):
                at = f"channels[{index}].{plan.channel}.window" if plan.window else "window"
                yield at, f"{way}never opens: the project sends {all_in_words(None, quiet)}"
                return
        if rule.publish and not rule.sends_once and not ever_open(together):
            yield "channels", f"{way}are never open together, and all that go out share a code"
            return


def ever_open(windows: Sequence[Window]) -> bool:
    """True where there is a minute of a week in which all are open."""
    return bool(reduce(and_, map(_minutes, windows), -1))


def _minutes(window: Window) -> int:
    """A bit for each minute of a week in which it is open, Monday's first."""
    begin, end = _minute(window.begins), _minute(window.ends)
    length = end - begin if end > begin else end + _DAY_MINUTES - begin
    days = [number for number, day in enumerate(WEEKDAYS) if not window.days or day in window.days]
    found = reduce(or_, (((1 << length) - 1) << (day * _DAY_MINUTES + begin) for day in days), 0)
    return (found | found >> _WEEK_MINUTES) & ((1 << _WEEK_MINUTES) - 1)


def _minute(written: str) -> int:
    hours, minutes = written.split(":")
    return int(hours) * 60 + int(minutes)


def all_in_words(window: Window | None, quiet: QuietHours | None) -> str:
    """The hours of a window and of quiet ones."""
    own = in_words(window) if window else ""
    return f"{own}{' and ' if own else ''}not {in_words(quiet)}" if quiet else own


def day_and_time(now: datetime, zone: tzinfo) -> str:
    """A moment as in `Friday 21:00`, without the seconds."""
    here = now.astimezone(zone)
    return f"{_NAMES[here.weekday()]} {here.hour:02}:{here.minute:02}"


def in_words(window: Window | QuietHours) -> str:
    """The hours and days of a window."""
    days = f" on {', '.join(window.days)}" if isinstance(window, Window) and window.days else ""
    holidays = ", not on public holidays" if window.closed_on_holidays else ""
    if isinstance(window, QuietHours) and holidays:
        holidays = " nor on public holidays"
    return f"from {window.begins} to {window.ends}{days}{holidays}"


def holiday_in_words(hours: Iterable[Window], now: datetime, zone: tzinfo, place: Place) -> str:
    """The holiday on which hours are closed, or why they know of none; empty where neither is worth a word."""
    if not any(window.closed_on_holidays for window in hours):
        return ""
    known = known_place(place)
    if known is None:
        country = f'of "{place.country}"' if place.country else "without address.country or a country of the project"
        return f"; no public holidays are known {country}"
    name = holiday(place, now.astimezone(zone).date())
    return f"; closed: {name} in {'-'.join(filter(None, known))}" if name else ""


@lru_cache(maxsize=4096)
def _spans(
    begin: str, end: str, days: tuple[str, ...], today: date, zone: tzinfo, place: Place
) -> tuple[tuple[datetime, datetime], ...]:
    """Beginnings and ends of a window around a day, which the same day in the same zone asks for again and again."""
    return tuple(_around(time.fromisoformat(begin), _end(end), days, today, zone, place))


def _around(
    begins: time, ends: time | None, days: tuple[str, ...], today: date, zone: tzinfo, place: Place
) -> Iterator[tuple[datetime, datetime]]:
    """One over midnight belongs to the day on which it begins, and ends at midnight before a holiday."""
    for number in range(-1, _LOOKED_AT_WITH_HOLIDAYS if place.country else _LOOKED_AT):
        try:
            day = today + number * _DAY
            last = day if ends is not None and ends > begins else day + _DAY
        except OverflowError:
            return
        if days and WEEKDAYS[day.weekday()] not in days:
            continue
        if place.country and holiday(place, day):
            continue
        cut = place.country and last > day and holiday(place, last)
        opening, closing = instant(day, begins, zone), instant(last, time.min if cut else ends or time.min, zone)
        if closing > opening:  # where the clocks leap over all of it, there is no such time
            yield opening, closing


def _end(written: str) -> time | None:
    """None is midnight, the end of the day."""
    return None if written == "24:00" else time.fromisoformat(written)


@lru_cache(maxsize=4096)
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
