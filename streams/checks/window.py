"""Window: a message is sent in the hours of the customer's day that its channel or its distribution allows."""

from __future__ import annotations

from schemas.window import QuietHours, Window
from streams.checks.check import AudienceCheck, Finding, Message
from streams.delay import zone_of_customer
from streams.holidays import place_of
from streams.verdict import GO
from streams.window import (
    NEVER,
    all_in_words,
    both,
    closed,
    day_and_time,
    holiday_in_words,
    opens_together,
    quiet_hours_of,
)


def _judge(message: Message) -> Finding:
    window, quiet = _window(message), _quiet(message)
    if window is None and quiet is None:
        return Finding(GO)
    zone = zone_of_customer(message.profile, message.zone)
    words, seen = all_in_words(window, quiet), f"{day_and_time(message.now, zone)} in {zone}"
    place, hours = place_of(message.profile, message.distribution.country), both(window, quiet)
    until = opens_together(hours, message.now, zone, place)
    holiday = holiday_in_words(hours, message.now, zone, place)
    said = f"sent {words} in {zone}, where it is {day_and_time(message.now, zone)}{holiday}"
    objection = until and closed(window, until, message.now, zone, place, said)
    later = f"; not before {until.astimezone(zone):%A %Y-%m-%d %H:%M}" if until and until is not NEVER else ""
    return Finding(objection or GO, f"sent {words}", seen + holiday + later)


def _window(message: Message) -> Window | None:
    """The one of its channel counts over the distribution's."""
    return message.plan.window or message.distribution.window


def _quiet(message: Message) -> QuietHours | None:
    """The project's, where they count for this message."""
    return quiet_hours_of(message.distribution, message.plan.channel)


WINDOW = AudienceCheck(_judge)
