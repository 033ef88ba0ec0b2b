"""Rows of manual sends: as they stand, as a fan-out works on them, and what became of their deliveries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg
import msgspec

from schemas.closed import SendStatus
from schemas.send import Audience, Started, When

SendPlace = tuple[datetime, str]
"""The place of a send in a list, newest first: when it was created, and its id."""


@dataclass(frozen=True, slots=True)
class SendRow:
    """A send as it stands.

    `audience` is how many it goes to, as counted last; `starts_at` the end of its hold, or its moment where that is
    later: None before it is confirmed, or while its segment is being computed. `gone`: how many had left when it was
    stopped. `waits_for` says why it does not go on.

    `backfill` is that of the distribution, where setting it live began this send, at `live_at`; once it `is_swept`,
    those who entered since are looked for.

    `revision` counts its edits. To more customers than `approve_above` it needs an approval; None: it needs none.
    `segment_digest`: the definition that its segment had when it began, where approvals are asked for.
    """

    project_id: str
    send_id: str
    distribution_id: str
    status: SendStatus
    to: Audience
    when: When
    hold: timedelta
    audience: int
    confirmed_at: datetime | None
    starts_at: datetime | None
    started_at: datetime | None
    version: int | None
    emitted: int
    emitted_at: datetime | None
    gone: int | None
    waits_for: str
    created_by: str
    created_at: datetime
    ended_at: datetime | None
    backfill: str | None
    live_at: datetime | None
    is_swept: bool
    revision: int
    approve_above: int | None
    segment_digest: str | None

    @property
    def is_open(self) -> bool:
        """True where something of it may still go out."""
        return self.status not in ("DONE", "STOPPED")


@dataclass(frozen=True, slots=True)
class Claimed:
    """A send that is ours to work on. `started` is None before its first event, `checkpoint` its last member so far."""

    send: SendRow
    checkpoint: str
    started: Started | None


@dataclass(frozen=True, slots=True)
class Progress:
    """The deliveries of a send by what became of them, as far as senders have them.

    `held` waits until a moment, or for a code, before it is one.
    """

    sent: int
    under_way: int
    waiting: int
    failed: int
    held: int


def send_of(row: asyncpg.Record) -> SendRow:
    plain = {name: row[name] for name in SendRow.__dataclass_fields__ if name not in ("to", "when")}
    segment = row["segment_id"]
    to = Audience(kind="segment" if segment else "list", segment=segment, own=row["owns_segment"])
    return SendRow(to=to, when=When(at=row["at"], local_time=row["local_time"]), **plain)


def claimed_of(row: asyncpg.Record) -> Claimed:
    send, started = send_of(row), None
    if send.version is not None and send.starts_at is not None:
        distribution = msgspec.json.decode(row["distribution"])
        started = Started(at=send.live_at or send.starts_at, version=send.version, distribution=distribution)
    return Claimed(send, row["checkpoint"], started)
