"""The record of an event, whether it comes from its own topic or has waited; and what becomes of it while it waits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from agents.broker.records import Headers, Incoming
from agents.ingest_time import stamp
from schemas.hold import Hold, RecordHeader
from streams.event_context import Head
from streams.outcome import Waits


class Source(NamedTuple):
    """A record. `topic` is the one that it came from, without prefix; `arrived_at` in Unix milliseconds."""

    topic: str
    key: bytes | None
    value: bytes
    headers: Headers
    arrived_at: int

    @classmethod
    def of_record(cls, record: Incoming, topic: str) -> Source:
        """A record of a topic of events."""
        return cls(topic, record.key, record.value or b"", record.headers, stamp(record))

    @classmethod
    def of_hold(cls, hold: Hold, key: bytes | None) -> Source:
        """The record that waited inside a hold."""
        headers = [(one.name, one.value) for one in hold.headers]
        return cls(hold.topic, key, hold.value, headers, hold.arrived_at)

    @classmethod
    def all_of_hold(cls, hold: Hold, key: bytes | None) -> list[Source]:
        """The records of a hold: one, or all that a digest has gathered."""
        others = (
            cls(hold.topic, key, one.value, [(each.name, each.value) for each in one.headers], one.arrived_at)
            for one in hold.gathered
        )
        return [cls.of_hold(hold, key), *others]

    def hold(self, waits: Waits) -> Hold:
        """The record of `holds` for a send of this event that waits."""
        return Hold(
            hold_id=waits.hold_id,
            round=waits.round,
            project_id=waits.project_id,
            customer_id=waits.customer_id,
            distribution=waits.distribution,
            event=waits.event,
            occurrence=waits.occurrence,
            channel=waits.channel,
            step=waits.step,
            reason=waits.until.reason,
            until=None if waits.until.reason == "paused" else waits.until.until,
            due_at=waits.due_at,
            arm=waits.draw.arm.id if waits.draw.arm else None,
            held_out=waits.draw.held_out,
            arrived_at=self.arrived_at,
            topic=self.topic,
            headers=[RecordHeader(name=_written_out(name), value=value) for name, value in self.headers],
            value=self.value,
            priority=waits.until.priority,
            follows=waits.follows,
            gathers=waits.gathers,
            gathered=list(waits.gathered),
            events=waits.events,
        )


def waits_as(hold: Hold) -> str:
    """The id by which a customer's row knows what waits: that of a hold, or of a digest."""
    return hold.gathers.digest_id if hold.gathers else hold.hold_id


def leading(holds: Sequence[Waits], heads: Sequence[Head[Any]]) -> int:
    """The place of the event that what is held again goes on with: a digest may have lost those before it."""
    leads = holds[0].event.id if holds else heads[0].id
    return next(number for number, head in enumerate(heads) if head.id == leads)


def _written_out(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
