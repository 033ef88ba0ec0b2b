"""Replies about manual sends, and how they are made of what the use cases give."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from console.api.route import Cursor, Instant
from console.control.approvals import ShownApproval
from console.control.sends import Counted, SendShown, Stopped
from schemas.closed import SendStatus
from schemas.formats.durations import format_duration
from store.send_rows import SendRow


class Send(msgspec.Struct, frozen=True, kw_only=True):
    """A send as it stands. `audience` is how many it goes to, as counted last, `out` how many of them are on their way.

    `to_segment` is null for a list of customers. `starts_at` is the end of its hold, or its moment where that is later;
    null before it is confirmed, or while its segment is being computed. `gone`: how many had left when it was stopped.
    `backfill` says of whom, where setting its distribution live began it. `waits_for`: why it does not go on.
    """

    send: str
    distribution: str
    status: SendStatus
    to_segment: str | None
    at: Instant | None
    local_time: Annotated[str | None, Meta(description="By each customer's own clock.")]
    hold: str
    audience: int
    out: int
    gone: int | None
    waits_for: str
    backfill: str | None
    version: Annotated[int | None, Meta(description="The distribution's, once it has begun.")]
    created_by: str
    created_at: Instant
    confirmed_at: Instant | None
    starts_at: Instant | None
    started_at: Instant | None
    ended_at: Instant | None


class SendPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some sends and backfills, newest first."""

    items: list[Send]
    next: Cursor | None = None


class SendProgress(msgspec.Struct, frozen=True, kw_only=True):
    """The deliveries of a send by what became of them; `held` waits until a moment, or for a code."""

    sent: int
    under_way: int
    waiting: int
    failed: int
    held: int


class SendAction(msgspec.Struct, frozen=True, kw_only=True):
    """Something that somebody did to a send."""

    at: Instant
    action: str
    actor: str
    detail: str


class SendApproval(msgspec.Struct, frozen=True, kw_only=True):
    """A send beside the approval that its project asks for `above` so many customers.

    `content` is the digest of what goes out, `audience` to how many, as of now: that is what is approved. `changes` are
    those since `approved_by` approved of it: then `is_given` is false. `not_by` are those who wrote it.
    """

    above: int
    is_needed: bool
    is_given: bool
    content: str
    audience: int
    approved_by: str | None
    approved_at: Instant | None
    changes: list[str]
    not_by: list[str]


class ShownSend(msgspec.Struct, frozen=True, kw_only=True):
    """A send, what became of its deliveries, and what people did to it.

    `approval` is null where its project asks for none.
    """

    send: Send
    progress: SendProgress
    actions: list[SendAction]
    approval: SendApproval | None


class ApprovedSend(msgspec.Struct, frozen=True, kw_only=True):
    """A send that was approved, or would be by a dry run."""

    send: Send
    approval: SendApproval
    dry_run: bool


class CountedSend(msgspec.Struct, frozen=True, kw_only=True):
    """The number of those that a send goes to, as of now; so far, where its segment is still being computed."""

    send: str
    audience: int
    is_complete: bool


class ChangedSend(msgspec.Struct, frozen=True, kw_only=True):
    """A send after what was done to it, or would be by a dry run."""

    send: Send
    dry_run: bool


class StoppedSend(msgspec.Struct, frozen=True, kw_only=True):
    """A send that was stopped: how many had `gone`, and how many that were queued were `canceled`."""

    send: Send
    gone: int
    canceled: int
    dry_run: bool


def send_of(row: SendRow) -> Send:
    """A send for a reply."""
    return Send(
        send=row.send_id,
        distribution=row.distribution_id,
        status=row.status,
        to_segment=row.to.segment,
        at=row.when.at,
        local_time=row.when.local_time,
        hold=format_duration(int(row.hold.total_seconds())),
        audience=row.audience,
        out=row.emitted,
        gone=row.gone,
        waits_for=row.waits_for if row.is_open else "",
        backfill=row.backfill,
        version=row.version,
        created_by=row.created_by,
        created_at=row.created_at,
        confirmed_at=row.confirmed_at,
        starts_at=row.starts_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
    )


def approval_of(found: ShownApproval) -> SendApproval:
    """A send beside its approval, for a reply."""
    return msgspec.convert(found, SendApproval, from_attributes=True)


def shown_send(found: SendShown, approval: ShownApproval | None) -> ShownSend:
    """A send with all that is known of it."""
    progress = msgspec.convert(found.progress, SendProgress, from_attributes=True)
    actions = msgspec.convert(found.actions, list[SendAction], from_attributes=True)
    shown = None if approval is None else approval_of(approval)
    return ShownSend(send=send_of(found.send), progress=progress, actions=actions, approval=shown)


def counted_send(send_id: str, found: Counted) -> CountedSend:
    """The count of a send."""
    return CountedSend(send=send_id, audience=found.audience, is_complete=found.is_complete)


def stopped_send(done: Stopped, *, dry_run: bool) -> StoppedSend:
    """A send that was stopped."""
    return StoppedSend(send=send_of(done.send), gone=done.gone, canceled=done.canceled, dry_run=dry_run)
