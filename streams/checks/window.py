"""Window: a message is sent in the hours of the customer's day that its channel or its distribution allows."""

from __future__ import annotations

from schemas.window import QuietHours, Window
from streams.checks.check import AudienceCheck, Message
from streams.delay import zone_of_customer
from streams.verdict import GO, Verdict
from streams.window import NEVER, all_in_words, both, closed, opens_together, quiet_hours_of


def _judge(message: Message) -> Verdict:
    window, quiet = _window(message), _quiet(message)
    if window is None and quiet is None:
        return GO
    return closed(window, quiet, message.now, zone_of_customer(message.profile, message.zone)) or GO


def _shown(message: Message) -> tuple[str, str] | None:
    window, quiet = _window(message), _quiet(message)
    if window is None and quiet is None:
        return None
    zone = zone_of_customer(message.profile, message.zone)
    until, seen = (
        opens_together(both(window, quiet), message.now, zone),
        f"{message.now.astimezone(zone):%A %H:%M} in {zone}",
    )
    later = f"; not before {until.astimezone(zone):%A %Y-%m-%d %H:%M}" if until and until is not NEVER else ""
    return f"sent {all_in_words(window, quiet)}", seen + later


def _window(message: Message) -> Window | None:
    """The one of its channel counts over the distribution's."""
    return message.plan.window or message.distribution.window


def _quiet(message: Message) -> QuietHours | None:
    """The project's, where they count for this message."""
    return quiet_hours_of(message.distribution, message.plan.channel)


WINDOW = AudienceCheck(_judge, _shown)
