"""All that comes of one event: deliveries, decisions, what waits, and what is to be known of it later."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from schemas.closed import ChannelName, Unknown
from schemas.decision import Check, Decision
from schemas.delivery import Delivery, DistributionRef, EventRef
from schemas.distribution import Unless
from schemas.hold import Follows, Gathered, Gathering, Hold
from schemas.publication_request import PublicationRequest
from streams.checks.check import Message
from streams.conditions.answer import Failure
from streams.event_context import EventContext, Head
from streams.experiment import IN_NONE, Draw
from streams.index.guard import Guard
from streams.recent import Sent, counted
from streams.sends import send_of
from streams.verdict import Defer, Skip
from streams.waiting import Changes, Ending

_LOOK_AGAIN = timedelta(seconds=30)
"""What is due while its distribution is paused waits on; holders release it once it is live."""


@dataclass(frozen=True, slots=True)
class Waits:
    """A send, or one message of it, that is not judged before a moment; `round` is 0 for the first time."""

    hold_id: str
    round: int
    project_id: str
    customer_id: str
    distribution: DistributionRef
    event: EventRef
    occurrence: str
    until: Defer
    due_at: datetime
    draw: Draw = IN_NONE
    channel: ChannelName | Unknown | None = None
    step: int | None = None
    follows: Follows | None = None
    gathers: Gathering | None = None
    gathered: Sequence[Gathered] = ()
    events: int | None = None


class Judged(NamedTuple):
    """A message, what objects to it, and the checks of its own that were made."""

    message: Message
    objection: Skip | Defer | None
    recorded: list[Check]


@dataclass(slots=True)
class Matched:
    """The outcome for one event: `sent` belongs into the customer's recent sends, one entry a delivery.

    `requests` are sends that need a code first; their deliveries and decisions are in them. `holds` are those that are
    judged again later, `waiting` what is to be known of them and of events that end them.

    `no_match` counts rules of the event's type and selection whose guard did not fit. `counts` where an entry of
    `sent` limits what may be sent later: it has to be kept before anything leaves.
    """

    deliveries: list[Delivery] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    requests: list[PublicationRequest] = field(default_factory=list)
    holds: list[Waits] = field(default_factory=list)
    waiting: Changes = field(default_factory=Changes)
    matched: int = 0
    no_match: int = 0
    counts: bool = False


def place_of(hold: Hold | None) -> tuple[ChannelName | Unknown | None, int]:
    """The channel and the place of the message that has waited; none where the whole send has."""
    return (hold.channel, hold.step) if hold and hold.step is not None else (None, 0)


def was_due(hold: Hold | None) -> datetime | None:
    """The moment that a release was due at; none of what did not wait, nor of what somebody ended before its moment."""
    return hold.due_at if hold and hold.canceled_by is None else None


def last_of(judged: Iterable[Judged]) -> tuple[Defer, list[Check]] | None:
    """The objection that keeps all of them from being sent together for longest, and the checks of its message."""
    waiting = [(one.objection, one) for one in judged if isinstance(one.objection, Defer)]
    if not waiting:
        return None
    last, one = max(waiting, key=lambda each: each[0].until)
    return replace(last, detail=f"{one.message.plan.channel}: {last.detail}"), one.recorded


def event_ref(event: Head[Any]) -> EventRef:
    """An event as decisions and deliveries name it."""
    return EventRef(id=event.id, type=event.type, created_at=event.created_at, send_id=send_of(event))


def canceled(hold: Hold) -> Skip | None:
    """An objection to what somebody has ended while it waited."""
    return Skip("canceled", f"ended while it waited by {hold.canceled_by}") if hold.canceled_by else None


def came_far_enough(hold: Hold) -> Skip | None:
    """An objection to another channel, where a message of one before it came as far as it had to."""
    follows = hold.follows
    if follows is None or follows.came is None:
        return None
    at = f" at {follows.came_at.isoformat()}" if follows.came_at else ""
    return Skip("canceled", f"not needed: the message before it was {follows.came}{at}")


def ended_meanwhile(unless: Unless, ended: Ending) -> Skip:
    """An objection to what an event has ended while it waited."""
    said = f"{unless.trigger.event}, event {ended.event} of {ended.at.isoformat()}"
    return Skip("canceled", f"ended while it waited by {said}")


def no_longer_fits(guard: Guard, context: EventContext, now: datetime) -> Skip | None:
    """An objection of a guard to an event that it fitted before."""
    answer, checks = guard.explain(context, now)
    if isinstance(answer, Failure):
        return Skip("rule_error", answer.reason)
    failed = next((check.test for check in checks if check.passed is False), "")
    return None if answer is True else Skip("no_match", failed)


def paused(now: datetime) -> Defer:
    """An objection of a paused distribution to what waits."""
    return Defer("paused", now + _LOOK_AGAIN, "the distribution is paused; it waits until it is live")


def place(message: Message, *, lasts: bool = False) -> Sent:
    """The entry of a message that leaves now."""
    return counted(
        message.delivery_id,
        message.event.id,
        message.moment,
        lasts=lasts,
        channel=message.plan.channel,
        category=message.distribution.consent,
        now=message.now,
    )
