"""Window: a message is sent in the hours of the customer's day that its channel or its distribution allows."""

from __future__ import annotations

from schemas.window import Window
from streams.checks.check import AudienceCheck, Message
from streams.delay import zone_of_customer
from streams.verdict import GO, Verdict
from streams.window import closed, in_words, opens


def _judge(message: Message) -> Verdict:
    window = _window(message)
    if window is None:
        return GO
    return closed(window, message.now, zone_of_customer(message.profile, message.zone)) or GO


def _shown(message: Message) -> tuple[str, str] | None:
    window = _window(message)
    if window is None:
        return None
    zone = zone_of_customer(message.profile, message.zone)
    until, seen = opens(window, message.now, zone), f"{message.now.astimezone(zone):%A %H:%M} in {zone}"
    later = f"; not before {until.astimezone(zone):%A %Y-%m-%d %H:%M}" if until else ""
    return f"sent {in_words(window)}", seen + later


def _window(message: Message) -> Window | None:
    """The one of its channel counts over the distribution's."""
    return message.plan.window or message.distribution.window


WINDOW = AudienceCheck(_judge, _shown)
