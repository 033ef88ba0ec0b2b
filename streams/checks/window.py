"""Window: a message is sent in the hours of the customer's day that its distribution allows."""

from __future__ import annotations

from streams.checks.check import AudienceCheck, Message
from streams.delay import zone_of_customer
from streams.verdict import GO, Verdict
from streams.window import closed, in_words


def _judge(message: Message) -> Verdict:
    window = message.distribution.window
    if window is None:
        return GO
    return closed(window, message.now, zone_of_customer(message.profile, message.zone)) or GO


def _shown(message: Message) -> tuple[str, str] | None:
    window = message.distribution.window
    if window is None:
        return None
    zone = zone_of_customer(message.profile, message.zone)
    return f"sent {in_words(window)}", f"{message.now.astimezone(zone):%A %H:%M} in {zone}"


WINDOW = AudienceCheck(_judge, _shown)
