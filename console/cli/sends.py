"""Manual sends: send to some, list, show, approve, confirm, edit, pause, resume, stop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.markup import escape

from console.cli.applying import Yes
from console.cli.context import Session, in_session, session
from console.cli.terminal import AsJson, must_exist, show_json, show_rows, show_text, text
from console.control import approvals, sends
from console.control.documents import parse_documents
from console.control.files.documents import Folder
from console.control.recipients import Recipients, ToCondition, ToCustomers, ToSegment
from schemas.closed import SendStatus, members
from schemas.formats.durations import format_duration
from store.send_rows import SendRow

commands = typer.Typer()
sends_app = typer.Typer(no_args_is_help=True, help="Manual sends: look, approve, confirm, edit, pause, resume, stop.")
commands.add_typer(sends_app, name="sends")

_COMPLETE_SECONDS = 10.0
"""For so long the count of a new segment is waited for, before what is known so far is shown."""
_LOOK_SECONDS = 0.5

At = Annotated[
    str | None, typer.Option(help="A date and time, as in 2026-12-01T09:00, by the project's clock. Default: at once.")
]
CustomerZone = Annotated[
    bool, typer.Option("--customer-zone", help="With --at: by each customer's own clock, else the project's.")
]
HoldFor = Annotated[
    str | None,
    typer.Option("--hold", help="How long it can still be edited or stopped, as in 10m; 0s sends at once."),
]
ToCustomer = Annotated[list[str] | None, typer.Option(metavar="ID", help="To a customer; may be repeated.")]
ToList = Annotated[
    Path | None, typer.Option(metavar="FILE", help="To the customers in the first column of a CSV or text file.")
]
ToSegmentNamed = Annotated[str | None, typer.Option(metavar="SEGMENT", help="To whoever is in a segment.")]
Where = Annotated[
    str | None, typer.Option(metavar="CONDITION", help="To those it fits: '{customer.metadata.country: PL}'.")
]
SaveAs = Annotated[str | None, typer.Option(metavar="SEGMENT", help="With --where: keep it under a name.")]


@commands.command("send")
def send_command(
    distribution: str,
    to_customer: ToCustomer = None,
    to_list: ToList = None,
    to_segment: ToSegmentNamed = None,
    where: Where = None,
    save_as: SaveAs = None,
    at: At = None,
    customer_zone: CustomerZone = False,
    hold: HoldFor = None,
    draft: Annotated[bool, typer.Option("--draft", help="Draw it up only; tidings sends confirm sends it.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Send a manual distribution to a customer, a list or a segment, after a hold in which it can be stopped."""
    to = _recipients(to_customer, to_list, to_segment, _condition(where), save_as)
    asyncio.run(_send(distribution, to, at, customer_zone, hold, is_draft=draft, yes=yes, as_json=as_json))


def _recipients(
    customers: list[str] | None, file: Path | None, segment: str | None, condition: Any, save_as: str | None
) -> Recipients:
    given = [one for one in (customers, file, segment, condition) if one is not None]
    if len(given) != 1:
        raise typer.BadParameter("say to whom by exactly one of --to-customer, --to-list, --to-segment, --where")
    if save_as is not None and condition is None:
        raise typer.BadParameter("--save-as names the segment of a --where")
    if customers is not None:
        return ToCustomers(customers, "--to-customer")
    if file is not None:
        must_exist([file])
        return ToCustomers(_ids_in(file), str(file))
    return ToSegment(segment) if segment is not None else ToCondition(condition, save_as)


def _ids_in(file: Path) -> list[str]:
    try:
        return list(Folder(file.parent).members(file.name))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _condition(written: str | None) -> Any:
    documents = [] if written is None else list(parse_documents(written, "--where"))
    return documents[0].plain if documents else None


async def _send(
    distribution: str,
    to: Recipients,
    at: str | None,
    customer_zone: bool,
    hold: str | None,
    *,
    is_draft: bool,
    yes: bool,
    as_json: bool,
) -> None:
    async with session("postgres") as opened:
        when = sends.read_time(at, opened.project, is_local=customer_zone)
        held = opened.project.send_hold if hold is None else sends.read_hold(hold)
        by = {"actor": opened.actor, "now": opened.now}
        made = await sends.draft(opened.pool, opened.project, distribution, to, when, held, **by)  # type: ignore[arg-type]
        counted = await _counted(opened, made.send_id)
        if is_draft:
            _show(made, as_json=as_json)
            return
        try:
            if not yes:
                _confirm(made, counted, as_json=as_json)
        except typer.Abort:
            await sends.discard(opened.pool, opened.project_id, made.send_id, actor=opened.actor)
            raise
        confirmed = await sends.confirm(opened.pool, opened.project, made.send_id, actor=opened.actor)
        _show(confirmed, as_json=as_json)


async def _counted(opened: Session, send_id: str) -> sends.Counted:
    """The number of those it goes to; of a new segment once it is complete, or what is known after a while."""
    looks = int(_COMPLETE_SECONDS / _LOOK_SECONDS)
    counted = await sends.counted(opened.pool, opened.project_id, send_id)
    for _ in range(0 if counted.is_complete else looks):
        await asyncio.sleep(_LOOK_SECONDS)
        counted = await sends.counted(opened.pool, opened.project_id, send_id)
        if counted.is_complete:
            break
    return counted


def _confirm(send: SendRow, counted: sends.Counted, *, as_json: bool) -> None:
    """Show to how many it goes, and ask. Raises Abort where nobody says yes."""
    so_far = "" if counted.is_complete else " so far: their segment is still being computed, and the hold begins after"
    said = f"{send.distribution_id} goes to {counted.audience:,} customers{so_far}, {_moment(send)}"
    if not as_json:
        show_text(escape(said))
    typer.confirm(f"Send it to {counted.audience:,} customers?", abort=True, err=True)


def _moment(send: SendRow) -> str:
    hold = format_duration(int(send.hold.total_seconds()))
    if send.when.local_time:
        return f"at {send.when.local_time} by each customer's clock"
    if send.when.at:
        return f"at {text(send.when.at)}, not before {hold} from now"
    return f"{hold} from now" if send.hold else "at once"


@sends_app.command("list")
def list_command(
    limit: Annotated[int, typer.Option(min=1, help="The newest so many.")] = 50,
    status: Annotated[str | None, typer.Option(help=f"Of a status alone: {', '.join(members(SendStatus))}.")] = None,
    as_json: AsJson = False,
) -> None:
    """The newest sends and backfills, each with how many of its members' events are out."""
    asked = None if status is None else sends.read_status(status)
    found = in_session(lambda opened: sends.listed(opened.pool, opened.project_id, limit, asked))
    columns = ("send", "distribution", "status", "to", "backfill", "audience", "out", "starts", "waits for", "by")
    rows = [
        (one.send_id, one.distribution_id, one.status, one.to.segment or "a list", one.backfill or "", one.audience,
         one.emitted, one.starts_at, one.waits_for if one.is_open else "", one.created_by)
        for one in found
    ]  # fmt: skip
    show_rows(columns, rows, as_json=as_json)


@sends_app.command("show")
def show_command(send: str) -> None:
    """One send, what became of its deliveries, and what people did to it."""

    async def show(opened: Session) -> dict[str, Any]:
        found = await sends.show(opened.pool, opened.project_id, send)
        approval = await approvals.look(opened.pool, opened.project, send)
        return {**msgspec.to_builtins(found), "approval": msgspec.to_builtins(approval)}

    show_json(in_session(show))


@sends_app.command("confirm")
def confirm_command(send: str, yes: Yes = False, as_json: AsJson = False) -> None:
    """Have a draft sent, after its hold."""

    async def confirm(opened: Session) -> SendRow:
        found = await sends.find(opened.pool, opened.project_id, send)
        if not yes:
            _confirm(found, await _counted(opened, send), as_json=as_json)
        return await sends.confirm(opened.pool, opened.project, send, actor=opened.actor)

    _done(confirm, as_json=as_json)


@sends_app.command("approve")
def approve_command(send: str, yes: Yes = False, as_json: AsJson = False) -> None:
    """Approve of a send to many, which another has drawn up: as it is now, so that any edit of it voids that."""

    async def approve(opened: Session) -> approvals.ShownApproval:
        of = opened.pool, opened.project, send
        found = await approvals.look(*of)
        if found is not None and not yes:
            _confirm_approval(await sends.find(opened.pool, opened.project_id, send), found, as_json=as_json)
        content, audience = (found.content, found.audience) if found else ("", 0)
        return (await approvals.approve(*of, content, audience, actor=opened.actor))[1]

    given = in_session(approve)
    if as_json:
        show_json(given)
        return
    show_text(escape(f"{send} is approved by {given.approved_by} for {given.audience:,} customers"))


def _confirm_approval(send: SendRow, found: approvals.ShownApproval, *, as_json: bool) -> None:
    """Show what would be approved, and ask. Raises Abort where nobody says yes."""
    if not as_json:
        changes = f"; since it was approved last: {', '.join(found.changes)}" if found.changes else ""
        show_text(
            escape(f"{send.distribution_id} by {', '.join(found.not_by)} to {send.to.segment or 'a list'}{changes}")
        )
    typer.confirm(f"Approve of sending it to {found.audience:,} customers, {_moment(send)}?", abort=True, err=True)


@sends_app.command("edit")
def edit_command(
    send: str,
    to_customer: ToCustomer = None,
    to_list: ToList = None,
    to_segment: ToSegmentNamed = None,
    where: Where = None,
    save_as: SaveAs = None,
    at: At = None,
    customer_zone: CustomerZone = False,
    hold: HoldFor = None,
    restart: Annotated[bool, typer.Option("--restart", help="Begin its hold anew.")] = False,
    as_json: AsJson = False,
) -> None:
    """Give a send that has not begun another moment or hold, or other recipients: then it has to be confirmed anew.

    Edits of its distribution apply by themselves.
    """
    stays = all(one is None for one in (to_customer, to_list, to_segment, where, save_as))
    stays_when = at is None and not customer_zone
    if stays and stays_when and hold is None and not restart:
        raise typer.BadParameter("say what is to change: to whom (--to-…, --where), --at, --hold, --restart")
    to = None if stays else _recipients(to_customer, to_list, to_segment, _condition(where), save_as)

    async def edit(opened: Session) -> SendRow:
        return await sends.edit(
            opened.pool,
            opened.project,
            send,
            to=to,
            when=None if stays_when else sends.read_time(at, opened.project, is_local=customer_zone),
            hold=None if hold is None else sends.read_hold(hold),
            restarts=restart,
            actor=opened.actor,
            now=opened.now,
        )

    _done(edit, as_json=as_json)


@sends_app.command("pause")
def pause_command(send: str, as_json: AsJson = False) -> None:
    """Have nothing more of it leave: neither events, nor what is queued."""
    _done(lambda opened: sends.pause(opened.pool, opened.project_id, send, actor=opened.actor), as_json=as_json)


@sends_app.command("resume")
def resume_command(send: str, as_json: AsJson = False) -> None:
    """Have it go on where it was."""
    _done(lambda opened: sends.resume(opened.pool, opened.project_id, send, actor=opened.actor), as_json=as_json)


@sends_app.command("stop")
def stop_command(send: str, as_json: AsJson = False) -> None:
    """Have nothing more of it leave, now or later, and say how many had gone. What is queued ends."""
    done = in_session(lambda opened: sends.stop(opened.pool, opened.project_id, send, actor=opened.actor))
    if as_json:
        show_json(done)
        return
    show_text(f"{escape(send)} is stopped: {done.gone:,} had gone, {done.canceled:,} that were queued are cancelled")


def _done(work: Callable[[Session], Awaitable[SendRow]], *, as_json: bool) -> None:
    _show(in_session(work), as_json=as_json)


def _show(send: SendRow, *, as_json: bool) -> None:
    if as_json:
        show_json(msgspec.to_builtins(send))
        return
    starts = f", begins {text(send.starts_at)}" if send.starts_at and send.started_at is None else ""
    waits = ", begins its hold once its segment is complete" if send.confirmed_at and not send.starts_at else ""
    out = f", {send.emitted:,} of {send.audience:,} are out" if send.started_at else ""
    show_text(escape(f"{send.send_id} is {send.status}{starts}{waits}{out}"))
    if send.status == "DRAFT":
        show_text(escape(f"Send it with: tidings sends confirm {send.send_id}"))
    if send.status == "TO SEND":
        show_text(escape(f"Stop it with: tidings sends stop {send.send_id}"))
