"""Manual sends over HTTP: list, show, draw up, count, confirm, edit, pause, resume and stop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from console.api.pages import next_cursor, read_cursor
from console.api.problems import in_body, refused
from console.api.route import ById, Call, Instant, Name, Paged, Reply, Route, Writing
from console.api.send_replies import (
    ApprovedSend,
    ChangedSend,
    CountedSend,
    SendPage,
    ShownSend,
    StoppedSend,
    approval_of,
    counted_send,
    send_of,
    shown_send,
    stopped_send,
)  # fmt: skip
from console.control import approvals, sends
from console.control.recipients import Recipients, ToCondition, ToCustomers, ToSegment
from schemas.closed import SendStatus
from schemas.record import JsonObject
from store.send_rows import SendRow

MOST_CUSTOMERS = 50_000
"""Of one request; more are a segment."""
MOST_APPROVED = 10**12
_MOST_BYTES = 4 * 1024 * 1024
SendCall = Call[ById, Writing, Any]


class _After(NamedTuple):
    """The last send that was shown."""

    created_at: Instant
    send_id: str


class Listing(Paged, frozen=True, kw_only=True):
    """The parameters of the list."""

    status: Annotated[SendStatus | None, Meta(description="Those of this status alone.")] = None


class ToWhom(msgspec.Struct, frozen=True, kw_only=True):
    """The recipients, the moment and the hold of a send, by the words of the command."""

    to_customers: Annotated[
        Annotated[list[str], Meta(min_length=1, max_length=MOST_CUSTOMERS)] | None,
        Meta(description="The ids of customers; each is sent to once."),
    ] = None
    to_segment: Annotated[Name | None, Meta(description="Whoever is in this segment when its turn comes.")] = None
    where: Annotated[
        JsonObject | None, Meta(description="A condition on customers, as a segment has under `when`.")
    ] = None
    save_as: Annotated[Name | None, Meta(description="With `where`: the id under which it stays as a segment.")] = None
    at: Annotated[
        Annotated[str, Meta(max_length=64)] | None,
        Meta(description="A date and time, as in 2026-12-01T09:00, by the project's clock; left out: at once."),
    ] = None
    customer_zone: Annotated[bool, Meta(description="With `at`: by each customer's own clock.")] = False
    hold: Annotated[
        Annotated[str, Meta(max_length=16)] | None,
        Meta(description="How long it can be edited or stopped before it begins, as in 10m; left out: the project's."),
    ] = None


class DraftedSend(ToWhom, frozen=True, kw_only=True):
    """A send to draw up: to exactly one of `to_customers`, `to_segment` and `where`."""

    distribution: Name


class EditedSend(ToWhom, frozen=True, kw_only=True):
    """Changes of a send. Other recipients make it a draft again, which has to be confirmed."""

    restart: Annotated[bool, Meta(description="Begin its hold anew.")] = False


class ApprovedContent(msgspec.Struct, frozen=True, kw_only=True):
    """The content that is approved, as `approval` of the send says it."""

    content: Annotated[str, Meta(min_length=64, max_length=64, description="The digest of what goes out.")]
    audience: Annotated[int, Meta(ge=0, le=MOST_APPROVED, description="To how many; a tenth more still counts.")]


class _Posted(ToCustomers):
    """Customers of a body."""

    def place(self, number: int) -> str:
        """See `ToCustomers`."""
        return f"to_customers[{number - 1}]"


async def list_sends(call: Call[Any, Listing, None]) -> Reply:
    """A page of them."""
    after, limit = read_cursor(call.query.cursor, _After), call.query.limit
    found = await sends.listed(call.pool, call.project_id, limit + 1, call.query.status, after)
    rows, following = next_cursor(found, limit, lambda one: (one.created_at, one.send_id))
    return Reply(SendPage(items=list(map(send_of, rows)), next=following))


async def get_send(call: Call[ById, Any, None]) -> Reply:
    """One of them, with what became of it."""
    approval = await approvals.look(call.pool, await call.project(), call.path.id)
    return Reply(shown_send(await sends.show(call.pool, call.project_id, call.path.id), approval))


async def count_send(call: Call[ById, Any, None]) -> Reply:
    """The number of those that it goes to."""
    return Reply(counted_send(call.path.id, await sends.counted(call.pool, call.project_id, call.path.id)))


async def post_send(call: Call[Any, Writing, DraftedSend]) -> Reply:
    """Draw up a send, as `tidings send --draft` does."""
    body, project = call.body, await call.project()
    to = _recipients(body)
    if to is None:
        raise _wrong("to_customers", "is missing: say to whom by exactly one of to_customers, to_segment, where")
    when = sends.read_time(body.at, project, is_local=body.customer_zone)
    hold = project.send_hold if body.hold is None else sends.read_hold(body.hold)
    made = await sends.draft(
        call.pool, project, body.distribution, to, when, hold,
        actor=call.actor, now=call.now, dry_run=call.query.dry_run,
    )  # fmt: skip
    return _changed(call, made, 200 if call.query.dry_run else 201)


async def edit_send(call: Call[ById, Writing, EditedSend]) -> Reply:
    """Give it another moment or hold, or other recipients."""
    body, project, to = call.body, await call.project(), _recipients(call.body)
    stays = body.at is None and not body.customer_zone
    if to is None and stays and body.hold is None and not body.restart:
        raise _wrong("", "names nothing that is to change: to_customers, to_segment, where, at, hold, restart")
    edited = await sends.edit(
        call.pool, project, call.path.id,
        to=to,
        when=None if stays else sends.read_time(body.at, project, is_local=body.customer_zone),
        hold=None if body.hold is None else sends.read_hold(body.hold),
        restarts=body.restart, actor=call.actor, now=call.now, dry_run=call.query.dry_run,
    )  # fmt: skip
    return _changed(call, edited)


async def confirm_send(call: SendCall) -> Reply:
    """Have it sent, where nothing of it has to be approved first."""
    of = call.pool, await call.project(), call.path.id
    return _changed(call, await sends.confirm(*of, actor=call.actor, dry_run=call.query.dry_run))


async def approve_send(call: Call[ById, Writing, ApprovedContent]) -> Reply:
    """Approve of what it was shown as."""
    body, dry_run, of = call.body, call.query.dry_run, (call.pool, await call.project(), call.path.id)
    row, given = await approvals.approve(*of, body.content, body.audience, actor=call.actor, dry_run=dry_run)
    return Reply(ApprovedSend(send=send_of(row), approval=approval_of(given), dry_run=dry_run))


async def take_step(step: Callable[..., Awaitable[SendRow]], call: SendCall) -> Reply:
    """Pause or resume it."""
    dry_run = call.query.dry_run
    return _changed(call, await step(call.pool, call.project_id, call.path.id, actor=call.actor, dry_run=dry_run))


async def stop_send(call: SendCall) -> Reply:
    """Have nothing more of it leave."""
    dry_run = call.query.dry_run
    done = await sends.stop(call.pool, call.project_id, call.path.id, actor=call.actor, dry_run=dry_run)
    return Reply(stopped_send(done, dry_run=dry_run))


def _changed(call: Call[Any, Writing, Any], row: SendRow, status: int = 200) -> Reply:
    return Reply(ChangedSend(send=send_of(row), dry_run=call.query.dry_run), status)


def _recipients(body: ToWhom) -> Recipients | None:
    """Those who are named, in one way alone; None where nobody is."""
    given: Mapping[str, Recipients | None] = {
        "to_customers": None if body.to_customers is None else _Posted(body.to_customers, "to_customers"),
        "to_segment": None if body.to_segment is None else ToSegment(body.to_segment),
        "where": None if body.where is None else ToCondition(body.where, body.save_as),
    }
    named = [name for name, to in given.items() if to is not None]
    if len(named) > 1:
        raise _wrong(named[1], f"stands beside {named[0]}: say to whom by exactly one of {', '.join(given)}")
    if body.save_as is not None and body.where is None:
        raise _wrong("save_as", "names the segment of a `where`, which is missing")
    return given[named[0]] if named else None


def _wrong(name: str, why: str) -> Exception:
    return refused("invalid", "", in_body(f"/{name}" if name else "", why))


_DRAFT: JsonObject = {"distribution": "spring", "to_customers": ["c1", "c2"], "at": "2999-12-01T09:00", "hold": "30m"}
_ID = {"id": "send_1"}


def _of_send(verb: str, permission: Any, summary: str, handler: Any, reply: Any, **more: Any) -> Route:
    return Route(
        "POST", f"/sends/{{id}}/{verb}", permission, summary, handler, {200: reply},
        path_type=ById, query_type=Writing, path_example=_ID, **more,
    )  # fmt: skip


ROUTES: tuple[Route, ...] = (
    Route(
        "GET", "/sends", "sends:read", "List sends and backfills, newest first", list_sends,
        {200: SendPage}, query_type=Listing,
    ),
    Route(
        "POST", "/sends", "sends:write", "Draw up a send: nothing goes out before it is confirmed", post_send,
        {200: ChangedSend, 201: ChangedSend}, query_type=Writing, body=DraftedSend, body_example=_DRAFT,
        most_bytes=_MOST_BYTES,
    ),
    Route(
        "GET", "/sends/{id}", "sends:read", "Read a send, what became of its deliveries, and what people did to it",
        get_send, {200: ShownSend}, path_type=ById, path_example=_ID,
    ),
    Route(
        "GET", "/sends/{id}/count", "sends:read", "Count those that a send goes to, as of now", count_send,
        {200: CountedSend}, path_type=ById, path_example=_ID,
    ),
    _of_send(
        "edit", "sends:write", "Give a send that has not begun another moment or hold, or other recipients",
        edit_send, ChangedSend, body=EditedSend, body_example={"hold": "2h"}, most_bytes=_MOST_BYTES,
    ),
    _of_send(
        "confirm", "sends:confirm", "Have a draft sent, after its hold, approved where that is needed", confirm_send,
        ChangedSend,
    ),
    _of_send(
        "approve", "sends:approve", "Approve of what a send was shown as: any edit of it afterwards voids that",
        approve_send, ApprovedSend, body=ApprovedContent, body_example={"content": "0" * 64, "audience": 1200},
    ),
    _of_send(
        "pause", "sends:operate", "Have nothing more of it leave until it is resumed",
        partial(take_step, sends.pause), ChangedSend,
    ),
    _of_send(
        "resume", "sends:operate", "Have it go on where it was", partial(take_step, sends.resume), ChangedSend
    ),
    _of_send(
        "stop", "sends:operate", "Have nothing more of it leave, now or later; what has gone stays so", stop_send,
        StoppedSend,
    ),
)  # fmt: skip
