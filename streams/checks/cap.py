"""Cap: a customer gets so much within a time, counted over all distributions when it leaves.

What is transactional counts too, and always goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from schemas.distribution import TRANSACTIONAL, Cap
from streams.caps import Counted, applies, count, in_words, within_words
from streams.checks.check import AudienceCheck, Finding, Message
from streams.delay import zone_of_customer
from streams.recent import has_counted
from streams.verdict import GO, Defer, Skip


def _judge(message: Message) -> Finding:
    """The first cap that does not let it wait, else the one that lets it go last."""
    caps = _limits(message)
    if not caps:
        return Finding(GO)
    test = f"cap {', '.join(map(in_words, caps))}"
    if has_counted(message.recent(), message.delivery_id, message.event.id):
        return Finding(GO, test, "counted already, for this event")  # a replay: it has its place already
    counts = [(cap, _count(message, cap)) for cap in caps]
    found = [objection for cap, counted in counts if (objection := _objection(message, cap, counted))]
    skip = next((one for one in found if isinstance(one, Skip)), None)
    later = max((one for one in found if isinstance(one, Defer)), key=_until, default=None)
    return Finding(
        skip or later or _gathered(message, counts) or GO,
        test,
        ", ".join(f"{counted.count} {within_words(cap)}" for cap, counted in counts),
    )


def _limits(message: Message) -> list[Cap]:
    distribution = message.distribution
    if not distribution.caps or distribution.consent == TRANSACTIONAL:
        return []
    return [cap for cap in distribution.caps if applies(cap, message.plan.channel, distribution.consent)]


def _count(message: Message, cap: Cap) -> Counted:
    zone = zone_of_customer(message.profile, message.zone)
    return count(cap, message.plan.channel, message.distribution.consent, message.recent(), message.now, zone)


def _objection(message: Message, cap: Cap, counted: Counted) -> Skip | Defer | None:
    if counted.free_at is None:
        return None
    whose = "the project's cap" if cap.of_project else "cap"
    said = f"{counted.count} of {cap.at_most} in {within_words(cap)}: {whose} {in_words(cap)}"
    if counted.free_at > message.moment + timedelta(seconds=cap.wait):
        waits = f"; there is room from {counted.free_at.isoformat()} on, later than it may wait" if cap.wait else ""
        return Skip("capped", said + waits)
    priority = message.distribution.priority if cap.gather else None
    return Defer("capped", counted.free_at, f"{said}, held until {counted.free_at.isoformat()}", priority)


def _gathered(message: Message, counts: Sequence[tuple[Cap, Counted]]) -> Defer | None:
    """The wait of a message that would be the last one: what comes meanwhile with a higher priority goes before it.

    Once, not where it waited so already, and not where it would be too late then.
    """
    gathering = [cap for cap, counted in counts if cap.gather and counted.count == cap.at_most - 1]
    if not gathering or message.is_ranked:
        return None
    cap = max(gathering, key=_gather)
    until = message.now + timedelta(seconds=cap.gather)
    after = message.distribution.expires_after
    if after and message.moment + timedelta(seconds=after) <= until:
        return None
    said = (
        f"the last one of cap {in_words(cap)}: gathered until {until.isoformat()}, when the highest priority goes first"
    )
    return Defer("gathered", until, said, message.distribution.priority)


def _gather(cap: Cap) -> int:
    return cap.gather


def _until(defer: Defer) -> float:
    return defer.until.timestamp()


CAP = AudienceCheck(_judge)
