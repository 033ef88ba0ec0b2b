"""The rate that a destination bears, learned by all senders together from the share of what it says is too much.

It is looked at in spans. Where some was too much, the rate falls by that share, to half at most. Where none was and the
rate was used, it grows: to half of the rate that was right last at once, then a little, and twice as much with each
span that goes well; while none is known to be right, to twice itself. A rate counts once the slots that are handed out
are over; what comes back until then says nothing of it. Times are of the database's clock.
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from streams.sending.grants import LASTS

_SPAN = 2.0
_SETTLES = LASTS + 1.0
"""Seconds from a new rate to the first report that is of it alone."""
_LEAST, _FIRST = 1 / 30, 1.0
"""Messages a second: of a destination that takes nothing, and of one of which nothing is known."""
_FALLS_LEAST, _FALLS_MOST = 0.98, 0.5
_GROWS, _GROWS_MOST = 0.03, 2.0
_CHANCE = 0.01
"""Of what was sent: so little was too much because some messages arrived together, and the rate stays."""
_IS_USED = 0.7
_FORGOTTEN = 600.0
"""Seconds without a word of too much, after which a destination has the rate again that it had before the first."""


class Learned(msgspec.Struct, frozen=True, omit_defaults=True):
    """The rate in messages a second, 0 where nothing was ever too much; `right`: the one that was right last.

    What came back since `since` counts; `quiet` spans before it had nothing that was too much.
    """

    rate: float = 0.0
    right: float = 0.0
    since: float = 0.0
    accepted: int = 0
    throttled: int = 0
    throttled_at: float = 0.0
    quiet: int = 0


class Heard(msgspec.Struct, frozen=True):
    """The answers that one sender heard since its last report; `measured`: the rate that it had before the first."""

    accepted: int = 0
    throttled: int = 0
    measured: float = 0.0


def learned(before: Learned, heard: Heard, now: float, most: float | None = None) -> Learned:
    """The state after a report; `most` is the limit that is written down."""
    if heard.throttled:
        before = replace(before, throttled_at=now)
    if not before.rate:
        return _begun(before, heard, now, most) if heard.throttled else Learned()
    if now - before.throttled_at > _FORGOTTEN or before.since > now + 2 * _SETTLES:  # or the clock was set back
        return Learned()
    if now <= before.since:
        return before if most else replace(before, rate=before.rate + heard.measured)
    before = replace(before, accepted=before.accepted + heard.accepted, throttled=before.throttled + heard.throttled)
    return before if now - before.since < _SPAN else _judged(before, now, most)


def _begun(before: Learned, heard: Heard, now: float, most: float | None) -> Learned:
    return replace(before, rate=most or max(_FIRST, heard.measured), right=most or 0.0, since=now + 1.0)


def _judged(before: Learned, now: float, most: float | None) -> Learned:
    if before.throttled:
        share = before.throttled / (before.accepted + before.throttled)
        if share <= _CHANCE:
            is_over = most is not None and before.rate >= most
            return Learned() if is_over else replace(before, since=now, accepted=0, throttled=0)
        rate = max(_LEAST, before.rate * min(max(1 - share, _FALLS_MOST), _FALLS_LEAST))
        return Learned(rate, rate if share < 0.5 else before.right, now + _SETTLES, throttled_at=before.throttled_at)
    is_used = before.accepted >= before.rate * (now - before.since) * _IS_USED
    if not is_used and not (before.accepted and before.rate < 1):
        return replace(before, since=now, accepted=0, throttled=0)
    grown = before.rate * (min(_GROWS_MOST, 1 + _GROWS * 2**before.quiet) if before.right else _GROWS_MOST)
    rate = max(grown, before.right / 2)
    if most is not None and rate >= most:
        return Learned()
    return Learned(rate, before.right, now + _SETTLES, throttled_at=before.throttled_at, quiet=before.quiet + 1)
