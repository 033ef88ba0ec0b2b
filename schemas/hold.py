"""A hold: an event on its way to one distribution, or one message of it; not judged again before a moment."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from schemas.closed import ChannelName, Reach, Reason, Unknown
from schemas.delivery import DistributionRef, EventRef
from schemas.record import Record, doc


class RecordHeader(Record, frozen=True, kw_only=True):
    """A header of a record as it came; bytes of the name that are not UTF-8 are written out."""

    name: str
    value: bytes | None = None


class Gathering(Record, frozen=True, kw_only=True):
    """The digest that an event joins; which one of that name is the holder's to say."""

    digest_id: Annotated[str, doc("Of a distribution, a customer and, where it has one, the value of its path.")]
    first: Annotated[bool, doc("Where nothing is gathered it goes alone, and those that follow are gathered.")] = False
    late_until: Annotated[datetime, doc("The end of the window after its own, where that is over already.")]


class Gathered(Record, frozen=True, kw_only=True):
    """Another event of a digest."""

    event: EventRef
    arrived_at: Annotated[int, doc("When it reached Kafka, in Unix milliseconds.")]
    headers: list[RecordHeader] = []
    value: Annotated[bytes, doc("Its record as it came.")]


class Follows(Record, frozen=True, kw_only=True):
    """The messages that another channel follows, unless one of them comes far enough before its moment."""

    deliveries: Annotated[list[str], doc("Their delivery ids, in the order in which they were sent.")]
    unless: Annotated[Reach | Unknown, doc("How far one of them has to come, so that no other channel sends.")]
    came: Annotated[Reach | Unknown | None, doc("How far one of them came; null where none came far enough.")] = None
    came_at: Annotated[datetime | None, doc("When it did.")] = None


class Hold(Record, frozen=True, kw_only=True):
    """A record of `holds`, and of `events.due` once its moment has come.

    The event's own record travels inside, so that it is judged as it came, by the profile and the rule of then.
    """

    hold_id: Annotated[str, doc("The same for every replay of the same event.")]
    round: Annotated[int, doc("0 for the first time; what is held again has the next.")] = 0
    project_id: str
    customer_id: str
    distribution: DistributionRef
    event: EventRef
    occurrence: Annotated[str, doc("The key by which sends are the same, decided once.")]
    channel: Annotated[ChannelName | Unknown | None, doc("Of the message that waits; null for the whole send.")] = None
    step: Annotated[int | None, doc("Its channel's place among the others; null for the whole send.")] = None
    reason: Annotated[Reason | Unknown, doc("Why it waits.")]
    until: Annotated[datetime | None, doc("Not released before; null while its distribution is paused.")] = None
    due_at: Annotated[datetime, doc("The end of its delay, by which start, end and expiry count.")]
    arm: Annotated[str | None, doc("The arm of its distribution, decided once.")] = None
    held_out: Annotated[str | None, doc("Why its customer is held out, decided once; null where not.")] = None
    arrived_at: Annotated[int, doc("When its event reached Kafka, in Unix milliseconds.")]
    topic: Annotated[str, doc("The topic that its event came from, without the prefix.")]
    headers: Annotated[list[RecordHeader], doc("Those of the event's record.")] = []
    value: Annotated[bytes, doc("The event's record as it came.")]
    priority: Annotated[int | None, doc("Where it counts: of what is due for a customer the highest goes first.")] = (
        None
    )
    canceled_by: Annotated[str | None, doc("Who ended it by hand before its moment; it is decided as canceled.")] = None
    follows: Annotated[Follows | None, doc("What it may follow; null for what waits for anything else.")] = None
    gathers: Annotated[Gathering | None, doc("The digest that it joins, or is; null for what waits by itself.")] = None
    gathered: Annotated[list[Gathered], doc("The other events of a digest that are kept, oldest first.")] = []
    events: Annotated[int | None, doc("The number of all events of a digest; null until it has gathered them.")] = None
