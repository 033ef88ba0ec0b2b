"""Manual sends, without anything that happens: the event of each member, and when a send may begin."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Any

import msgspec

from schemas.distribution import TRANSACTIONAL, Distribution
from schemas.events.event import Event
from schemas.events.triggers import BACKFILLED, MANUAL, SEND
from schemas.record import JsonObject
from schemas.send import Entered, Started, When, moment_at
from streams.conditions.answer import Failure, with_kind
from streams.event_context import Head, is_addressed
from streams.identity import segment_event_id, send_event_id


def send_of(head: Head[Any]) -> str | None:
    """The id of the send that an event is a part of."""
    send = head.data.send if is_addressed(head) else None
    return None if send is None else str(send.id)


def local_moment(head: Head[Any], zone: tzinfo) -> datetime | Failure | None:
    """The moment before which an event of a send is not sent to a customer of a zone; None where none is named."""
    send = head.data.send if head.type == MANUAL else None
    if send is None or send.local_time is None:
        return None
    try:
        return moment_at(send.local_time, zone)
    except (ValueError, TypeError, OverflowError):
        return Failure(f"send.local_time: not a time, but {with_kind(send.local_time)}")


def member_event(project_id: str, send_id: str, started: Started, when: When, customer_id: str) -> Event:
    """The event of one member; the same each time."""
    send: JsonObject = {"id": send_id, "version": started.version}
    if when.local_time is not None:
        send["local_time"] = when.local_time
    return Event(
        id=send_event_id(project_id, send_id, customer_id),
        project_id=project_id,
        type=MANUAL,
        created_at=started.at,
        data={"customer": {"id": customer_id}, "distribution": started.distribution, SEND: send},
    )


class MemberEvents:
    """The records of a send's events: `member_event` as JSON, of which all but two texts are the same for everybody.

    JSON whatever format is configured: in Avro the nulls of `data.distribution` would not be there after reading.
    """

    def __init__(self, project_id: str, send_id: str, started: Started, when: When) -> None:
        self._of = project_id, send_id
        sample = member_event(project_id, send_id, started, when, _NOBODY)
        raw, identity = msgspec.json.encode(sample), msgspec.json.encode(sample.id)
        self._head, _, rest = raw.partition(identity)
        self._middle, _, self._tail = rest.partition(msgspec.json.encode(_NOBODY))

    def record(self, customer_id: str) -> bytes:
        """The event of a customer."""
        identity = send_event_id(*self._of, customer_id).encode()
        return b'%b"%b"%b%b%b' % (self._head, identity, self._middle, msgspec.json.encode(customer_id), self._tail)


class EntryEvents:
    """The records of a backfill's events: the entries that its segment's members would be told of now.

    Each has the id of the entry that began the membership, told or not: whoever gets it by both gets it once.
    """

    def __init__(self, project_id: str, send_id: str, started: Started, segment: str, name: str) -> None:
        self._project, self._segment, self._at = project_id, {"id": segment, "name": name}, started.at
        self._rest = {"distribution": started.distribution, SEND: {"id": send_id, "version": started.version}}

    def event(self, member: Entered) -> Event:
        """The event of a member; one who came later entered when that was."""
        of_membership = member.serial, member.customer_id, member.epoch, BACKFILLED, member.number
        return Event(
            id=segment_event_id(self._project, self._segment["id"], *of_membership),
            project_id=self._project,
            type=BACKFILLED,
            created_at=max(member.since, self._at),
            data={"customer": {"id": member.customer_id}, "segment": self._segment, **self._rest},
        )

    def record(self, member: Entered) -> bytes:
        """The same as JSON, as `MemberEvents` writes it."""
        return msgspec.json.encode(self.event(member))


_NOBODY = "nobody\x1f"
"""No customer has this id."""


def distribution_object(rule: Distribution, created_at: datetime) -> JsonObject:
    """`data.distribution` of a send's events. `created_at` is when the first version was applied."""
    return {
        "id": rule.id,
        "created_at": _written(created_at),
        "updated_at": _written(rule.updated_at) if rule.version > 1 else None,
        "status": "TO SEND",
        "consents": {"disabled": rule.consent == TRANSACTIONAL},
        "set_live_at": None,
        "distribution_channels": [plan.channel for plan in rule.channels],
    }


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
