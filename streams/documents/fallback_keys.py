"""The keys of a fallback to the next channel, and what it does not go with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from schemas.closed import Reach
from schemas.distribution import Distribution, FallbackAfter
from schemas.formats.durations import format_duration
from schemas.record import JsonObject
from streams.values.kinds import Group, Key, OneOf, Span

LONGEST_FALLBACK = 30 * 86_400
"""Seconds: for so long it is known how far messages came."""
FALLBACK = Group(
    {
        "time": Key(
            Span(),
            required=True,
            doc="How long after a message the next channel sends.",
            example="2d",
        ),
        "unless": Key(
            OneOf(get_args(Reach)),
            null="wrong",
            doc="How far the message has to have come by then, so that the next channel does not send; what was "
            "clicked was opened, and what was opened was delivered. A webhook is delivered once its server takes it. "
            "Of other channels callbacks tell it. Opened and clicked are told of e-mails to customers who agree, where "
            "the project tracks them ([tracking.md](tracking.md)), and by the records that others write to "
            "`delivery.status`: where nothing tells, everybody gets the next channel as well.",
            default="delivered",
            example="opened",
        ),
    },
    "{time: 2d, unless: opened}",
)


def fallback_of(read: JsonObject | None) -> FallbackAfter | None:
    """The fallback that the keys say."""
    if read is None or "time" not in read:
        return None
    rest = {"unless": read["unless"]} if "unless" in read else {}
    return FallbackAfter(seconds=read["time"], **rest)


def fallback_stands_against(rule: Distribution) -> Iterator[tuple[str, str]]:
    """Keys that do not go with its fallback, and why."""
    fallback = rule.fallback_after
    if fallback is None:
        return
    said = format_duration(fallback.seconds)
    if not rule.sends_once:
        yield "fallback_after", "needs order: first_available: of channels that all send at once none is the next"
    if rule.publish:
        right = "publish it without, and fall back in one for customer.publication.succeeded"
        yield "publish", f"does not go with fallback_after: a code goes out once. Leave one of them out; or {right}"
    if not 0 < fallback.seconds <= LONGEST_FALLBACK:
        most = format_duration(LONGEST_FALLBACK)
        yield "fallback_after.time", f"is {said}: must be longer than 0s and at most {most}"
    if rule.expires_after is not None and rule.expires_after <= fallback.seconds:
        ends = format_duration(rule.expires_after)
        yield "fallback_after.time", f"is {said}, when the message is no longer worth sending: expires_after is {ends}"
