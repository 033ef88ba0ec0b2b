"""Segments over HTTP: list, read, apply, check, who is in one, and taking one away."""

from __future__ import annotations

from typing import Any

import msgspec

from console.api.documents import document_of, keep_of, keep_of_planned, managed_from, must_be_beside, must_be_named
from console.api.pages import next_cursor, read_cursor
from console.api.route import ById, Call, Cursor, DocumentBody, Instant, Overriding, Paged, Reply, Route
from console.api.versions import etag, is_known, must_match
from console.control import segments
from console.control.plan import Planned
from console.control.segments import SegmentChange, SegmentShown
from schemas.record import JsonObject
from schemas.segment import SegmentDefinition
from store.segments import SegmentSummary

_MOST_BYTES = 4 * 1024 * 1024


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """A segment with its members counted. While `is_computed` is false, `computed` customers are compared with it.

    `unjudged` are customers that it cannot judge.
    """

    segment: str
    name: str
    version: int
    kind: str
    members: int
    unjudged: int
    computed: int
    is_computed: bool
    applied_at: Instant


class SegmentPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some segments, in the order of their ids."""

    items: list[Segment]
    next: Cursor | None = None


class UnjudgedReason(msgspec.Struct, frozen=True, kw_only=True):
    """A reason why a segment cannot judge some customers, with one of them as an example."""

    customers: int
    customer_id: str
    reason: str


class CountedEvents(msgspec.Struct, frozen=True, kw_only=True):
    """Events that a segment counts, since when, null for all of them; nobody is in it before `records` of `of` are."""

    events: str
    topic: str
    since: Instant | None
    is_complete: bool
    records: int
    of: int


class ReadSegment(msgspec.Struct, frozen=True, kw_only=True):
    """A segment as it is defined, which events it counts, and why it cannot judge some customers."""

    summary: Segment
    definition: SegmentDefinition
    reasons: list[UnjudgedReason]
    counts: list[CountedEvents]


class AppliedSegment(msgspec.Struct, frozen=True, kw_only=True):
    """The fate of a document, as `tidings segments apply` shows it: new, changed or unchanged, and what differs.

    `managed_from` is where in Git it is managed from; null where it is managed here.
    """

    segment: str
    plan: str
    version: int
    changes: list[str]
    managed_from: str | None
    dry_run: bool


class SegmentMember(msgspec.Struct, frozen=True, kw_only=True):
    """A customer in a segment."""

    customer: str
    since: Instant


class MemberPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some members, in the order of their ids."""

    items: list[SegmentMember]
    next: Cursor | None = None


class RemovedSegment(msgspec.Struct, frozen=True, kw_only=True):
    """A segment that was taken away, with how many were in it."""

    segment: str
    members: int
    dry_run: bool


async def list_segments(call: Call[Any, Paged, None]) -> Reply:
    """A page of them."""
    after, limit = read_cursor(call.query.cursor, str) or "", call.query.limit
    found = await segments.page(call.pool, call.project_id, after, limit + 1)
    rows, following = next_cursor(found, limit, lambda one: one.definition.id)
    return Reply(SegmentPage(items=list(map(_segment, rows)), next=following))


async def get_segment(call: Call[ById, Any, None]) -> Reply:
    """One of them, as it is defined."""
    found = await segments.show(call.pool, call.project_id, call.path.id)
    version = found.summary.definition.version
    headers = {"etag": etag(version)}
    return Reply(None, 304, headers) if is_known(call.if_none_match, version) else Reply(_read(found), 200, headers)


async def put_segment(call: Call[ById, Overriding, JsonObject]) -> Reply:
    """Apply a document, as the command does."""
    identity, dry_run = call.path.id, call.query.dry_run
    must_be_named(call.body, "segment", identity)
    version = await segments.version(call.pool, call.project_id, identity)
    await must_match(call.if_match, call.if_none_match, version)
    planned = await _plan(call)
    keep = await keep_of_planned(call, "segment", planned)
    if not dry_run:
        must_be_beside(planned, version)
        await segments.save(call.pool, [planned], actor=call.actor, keep=keep)
    is_made = planned.what == "new" and not dry_run
    headers = {} if dry_run else {"etag": etag(planned.version)}
    return Reply(await _applied(call, planned, dry_run=dry_run), 201 if is_made else 200, headers)


async def validate_segment(call: Call[Any, Any, JsonObject]) -> Reply:
    """Check a document, and say what applying it would do."""
    return Reply(await _applied(call, await _plan(call), dry_run=True))


async def list_members(call: Call[ById, Paged, None]) -> Reply:
    """A page of who is in it."""
    after, limit = read_cursor(call.query.cursor, str) or "", call.query.limit
    found = await segments.members(call.pool, call.project_id, call.path.id, limit + 1, after)
    rows, following = next_cursor(found, limit, lambda one: one.customer)
    items = msgspec.convert(rows, list[SegmentMember], from_attributes=True)
    return Reply(MemberPage(items=items, next=following))


async def delete_segment(call: Call[ById, Overriding, None]) -> Reply:
    """Forget it and who is in it, where nothing uses it."""
    found = await segments.find(call.pool, call.project_id, call.path.id)
    await must_match(call.if_match, None, found.definition.version)
    keep = await keep_of(call, "segment", call.path.id)
    await segments.remove(
        call.pool, call.project_id, call.path.id, actor=call.actor, dry_run=call.query.dry_run, keep=keep
    )
    return Reply(RemovedSegment(segment=call.path.id, members=found.members, dry_run=call.query.dry_run))


async def _plan(call: Call[Any, Any, JsonObject]) -> Planned[SegmentChange]:
    document = document_of(call.body)
    (planned,) = await segments.plan(call.pool, [document], await call.project(), call.now)
    return planned


async def _applied(
    call: Call[Any, Any, JsonObject], planned: Planned[SegmentChange], *, dry_run: bool
) -> AppliedSegment:
    return AppliedSegment(
        segment=planned.identity, plan=planned.what, version=planned.version, changes=list(planned.lines),
        managed_from=await managed_from(call, "segment", planned.identity), dry_run=dry_run,
    )  # fmt: skip


def _segment(one: SegmentSummary) -> Segment:
    return Segment(
        segment=one.definition.id, name=one.definition.name, version=one.definition.version, kind=one.definition.kind,
        members=one.members, unjudged=one.unjudged, computed=one.computed, is_computed=one.is_computed,
        applied_at=one.applied_at,
    )  # fmt: skip


def _read(found: SegmentShown) -> ReadSegment:
    return ReadSegment(
        summary=_segment(found.summary),
        definition=found.summary.definition,
        reasons=msgspec.convert(found.reasons, list[UnjudgedReason], from_attributes=True),
        counts=msgspec.convert(found.counts, list[CountedEvents], from_attributes=True),
    )


_EXAMPLE: JsonObject = {"segment": "poland", "when": {"customer.metadata.country": "PL"}}
_ID = {"id": "poland"}
_BODY: dict[str, Any] = {"body": DocumentBody("segment"), "body_example": _EXAMPLE, "most_bytes": _MOST_BYTES}

ROUTES: tuple[Route, ...] = (
    Route(
        "GET", "/segments", "segments:read", "List segments, each with its members counted", list_segments,
        {200: SegmentPage}, query_type=Paged,
    ),
    Route(
        "POST", "/segments/validate", "segments:read", "Check a segment, and say what applying it would do",
        validate_segment, {200: AppliedSegment}, is_safe=True, **_BODY,
    ),
    Route(
        "GET", "/segments/{id}", "segments:read", "Read a segment, what it counts, and why it cannot judge some",
        get_segment, {200: ReadSegment, 304: None}, path_type=ById, etag=True, path_example=_ID,
    ),
    Route(
        "PUT", "/segments/{id}", "segments:write", "Apply a segment: make it, or a new version of it", put_segment,
        {200: AppliedSegment, 201: AppliedSegment}, path_type=ById, query_type=Overriding, etag=True, path_example=_ID,
        **_BODY,
    ),
    Route(
        "DELETE", "/segments/{id}", "segments:write", "Forget a segment and who is in it, where nothing uses it",
        delete_segment, {200: RemovedSegment}, path_type=ById, query_type=Overriding, etag=True, path_example=_ID,
    ),
    Route(
        "GET", "/segments/{id}/members", "segments:read", "List who is in a segment, and since when", list_members,
        {200: MemberPage}, path_type=ById, query_type=Paged, path_example=_ID,
    ),
)  # fmt: skip
