"""Manual sends: draw up, count, confirm, edit, pause, resume, stop; each with who did it, in one transaction."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import cast

import asyncpg

from console.control import approvals
from console.control.context import ProjectContext
from console.control.distributions import find as find_distribution
from console.control.not_found import not_found
from console.control.recipients import Recipients, ToCustomers, add_customers, audience_of
from schemas.closed import SendStatus, members
from schemas.distribution import Distribution
from schemas.errors import DefinitionInvalid, Problem, TidingsError
from schemas.events.triggers import MANUAL
from schemas.formats.days import read_moment
from schemas.formats.durations import format_duration, parse_duration
from schemas.segment import SegmentDefinition
from schemas.send import Audience, When
from store.send_rows import Progress, SendPlace, SendRow
from store.sends import SendChange, Sends
from streams.values.wording import invalid, unknown

_A_TIME = "a date, or a date and time, as in 2026-12-01T09:00"
_YEARS = range(2, 9999)


class NotPossible(TidingsError):
    """It cannot be done to a send as it stands; the message says what can."""


@dataclass(frozen=True, slots=True)
class Counted:
    """The number of those that a send goes to; so far, where it is not `is_complete`: its segment is being computed."""

    audience: int
    is_complete: bool


@dataclass(frozen=True, slots=True)
class Stopped:
    """A send that was stopped: how many had `gone`, and how many that were queued were `canceled`."""

    send: SendRow
    gone: int
    canceled: int


@dataclass(frozen=True, slots=True)
class ActionTaken:
    """Something that somebody did to a send."""

    at: datetime
    action: str
    actor: str
    detail: str


@dataclass(frozen=True, slots=True)
class SendShown:
    """A send, what became of its deliveries, and what people did to it."""

    send: SendRow
    progress: Progress
    actions: tuple[ActionTaken, ...]


# -- drawing up ---------------------------------------------------------------------------------------------------


async def draft(
    pool: asyncpg.Pool,
    project: ProjectContext,
    distribution: str,
    to: Recipients,
    when: When,
    hold: timedelta,
    *,
    actor: str,
    now: datetime,
    dry_run: bool = False,
    once: str | None = None,
) -> SendRow:
    """Draw up a send, with its customers counted so far; nothing goes out before it is confirmed.

    What the same actor asks for with the same `once` is one send, however often it is asked for.
    Raises NotFound, NotPossible, DefinitionInvalid, SegmentConflict, TryLater.
    """
    _check_manual(await find_distribution(pool, project.project_id, distribution))
    _check_time(when, now)
    send_id = f"send_{_token(project.project_id, actor, once)}"
    if once is not None and (made := await Sends(pool).find(project.project_id, send_id)) is not None:
        return made
    audience, segment = await audience_of(pool, project, to, send_id, now)
    try:
        async with Sends(pool).change(dry_run=dry_run) as change:
            if segment is not None:
                await change.add_segment(segment, actor)
            await change.add(project.project_id, send_id, distribution, to=audience, when=when, hold=hold, actor=actor)
            if isinstance(to, ToCustomers):
                await add_customers(change, project.project_id, send_id, to)
            send = await _found(change, pool, project.project_id, send_id)
            await change.note(send, "draft", actor)
            return replace(send, audience=await change.count(send))
    except asyncpg.UniqueViolationError:
        if once is None:
            raise
        return await find(pool, project.project_id, send_id)  # the other of two that were asked for at the same moment


def _token(project_id: str, actor: str, once: str | None) -> str:
    if once is None:
        return secrets.token_hex(12)
    return hashlib.sha256("\0".join((project_id, actor, once)).encode()).hexdigest()[:24]


def _check_manual(rule: Distribution) -> None:
    if rule.trigger.event != MANUAL:
        raise NotPossible(
            f"{rule.id} reacts to {rule.trigger.event} by itself; what is sent by hand has trigger: {MANUAL}"
        )
    _check_live(rule)


def _check_live(rule: Distribution) -> None:
    if rule.status != "LIVE":
        how = "tidings distributions resume" if rule.status == "PAUSED" else "apply it with status: LIVE"
        raise NotPossible(f"{rule.id} is {rule.status}: nothing of it would be sent. First: {how}")


def _check_time(when: When, now: datetime) -> None:
    last = when.lasts_until or when.at
    if last is not None and last <= now:
        raise _wrong_time(f"{when.local_time or last.isoformat()} is past; leave it out to send at once")


def _wrong_time(why: str) -> DefinitionInvalid:
    return DefinitionInvalid((Problem("at", why),))


def read_time(text: str | None, project: ProjectContext, *, is_local: bool) -> When:
    """The moment that somebody wrote: by the project's clock, else by each customer's own; None is at once.

    Raises DefinitionInvalid.
    """
    if text is None:
        if is_local:
            raise _wrong_time("is missing: by each customer's own clock it is as in 2026-12-01T09:00")
        return When()
    moment = read_moment(text, project.zone)
    if moment is None:
        raise _wrong_time(invalid(text, _A_TIME))
    if not is_local:
        return When(at=moment)
    written = datetime.fromisoformat(text.strip())
    if written.tzinfo is not None:
        raise _wrong_time(f'"{text}" names a zone; by each customer\'s own clock it is as in 2026-12-01T09:00')
    if written.year not in _YEARS:  # beyond, some zone has no date for it
        raise _wrong_time(invalid(text, _A_TIME))
    return When(local_time=written.isoformat(timespec="seconds"))


def read_hold(text: str) -> timedelta:
    """The span in which a send can still be edited or stopped. Raises DefinitionInvalid."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise DefinitionInvalid((Problem("hold", str(error)),)) from None


# -- confirming and changing --------------------------------------------------------------------------------------


async def counted(pool: asyncpg.Pool, project_id: str, send_id: str) -> Counted:
    """The number of those that it goes to, as of now. Raises NotFound, TryLater."""
    await find(pool, project_id, send_id)
    return Counted(*await Sends(pool).count(project_id, send_id))


async def confirm(
    pool: asyncpg.Pool,
    project: ProjectContext,
    send_id: str,
    *,
    actor: str,
    dry_run: bool = False,
    seen: int | None = None,
) -> SendRow:
    """Have a draft sent after its hold, which begins now or once its segment is complete.

    With `seen` it is that revision of it, or nothing is done.

    Raises NotFound, NotPossible, ApprovalNeeded, TryLater.
    """
    project_id = project.project_id
    _check_manual(await find_distribution(pool, project_id, (await find(pool, project_id, send_id)).distribution_id))
    async with Sends(pool).change(dry_run=dry_run) as change:
        send = await _in_status(change, pool, project_id, send_id, ("DRAFT",), "confirmed", seen)
        await approvals.require(change, send, project)
        send = await change.confirm(send, project.approve_above)
        if not send.audience and send.starts_at is not None:
            raise NotPossible(f"{send_id} goes to nobody: no customer is in its audience")
        await change.note(send, "confirm", actor, f"{send.audience} customers")
    return send


async def discard(pool: asyncpg.Pool, project_id: str, send_id: str, *, actor: str, seen: int | None = None) -> None:
    """Forget a draft; with `seen` that revision of it. Raises NotFound, NotPossible, TryLater."""
    async with Sends(pool).change() as change:
        await change.discard(await _in_status(change, pool, project_id, send_id, ("DRAFT",), "discarded", seen), actor)


async def edit(
    pool: asyncpg.Pool,
    project: ProjectContext,
    send_id: str,
    *,
    to: Recipients | None = None,
    when: When | None = None,
    hold: timedelta | None = None,
    restarts: bool = False,
    actor: str,
    now: datetime,
    dry_run: bool = False,
    seen: int | None = None,
) -> SendRow:
    """Give a send that has not begun other recipients, another moment or hold; its clock goes on unless it `restarts`.

    With other recipients it is a draft again: it has to be confirmed for them, and its hold begins then. Edits of the
    distribution apply by themselves: a send begins with the version of then. With `seen` it is that revision of the
    send, or nothing is done.
    Raises NotFound, NotPossible, DefinitionInvalid, SegmentConflict, TryLater.
    """
    if when is not None:
        _check_time(when, now)
    own = f"{send_id}_{secrets.token_hex(4)}"  # the segment that it has now stands in the way until it is ended
    audience = None if to is None else await audience_of(pool, project, to, own, now)
    async with Sends(pool).change(dry_run=dry_run) as change:
        send = await _in_status(
            change, pool, project.project_id, send_id, ("DRAFT", "TO SEND", "PAUSED"), "edited", seen
        )
        _check_editable(send)
        after = await change.edit(
            send, send.when if when is None else when, send.hold if hold is None else hold, restarts=restarts
        )
        if to is not None and audience is not None:
            after = await _readdressed(change, after, to, *audience, actor)
            after = replace(after, audience=await change.count(after))
        await change.note(after, "edit", actor, _edited(send, after, to, restarts=restarts))
    return after


async def _readdressed(
    change: SendChange, send: SendRow, to: Recipients, audience: Audience, segment: SegmentDefinition | None, actor: str
) -> SendRow:
    if segment is not None:
        await change.add_segment(segment, actor)
    after = await change.readdress(send, audience)
    if isinstance(to, ToCustomers):
        await add_customers(change, send.project_id, send.send_id, to)
    return after


def _check_editable(send: SendRow) -> None:
    if send.backfill is not None:
        raise NotPossible(
            f"{send.send_id} is a backfill, which began when {send.distribution_id} was set live; "
            "it can be paused, resumed or stopped"
        )
    if send.version is not None:
        raise NotPossible(f"{send.send_id} has begun, {send.emitted} of {send.audience} are out; it can be stopped")


def _edited(before: SendRow, after: SendRow, to: Recipients | None, *, restarts: bool) -> str:
    said = []
    if to is not None:
        said.append(f"to {before.to.segment or 'a list'} → {after.to.segment or 'a list'}")
    if before.when != after.when:
        said.append(f"at {_moment(before.when)} → {_moment(after.when)}")
    if before.hold != after.hold:
        old, new = (format_duration(int(one.hold.total_seconds())) for one in (before, after))
        said.append(f"hold {old} → {new}")
    return "; ".join([*said, *(["the hold begins anew"] if restarts else [])])


def _moment(when: When) -> str:
    return when.local_time or (when.at.isoformat() if when.at else "at once")


async def pause(pool: asyncpg.Pool, project_id: str, send_id: str, *, actor: str, dry_run: bool = False) -> SendRow:
    """Have nothing more of it leave until it is resumed. Raises NotFound, NotPossible, TryLater."""
    async with Sends(pool).change(dry_run=dry_run) as change:
        send = await change.pause(await _in_status(change, pool, project_id, send_id, ("TO SEND", "SENDING"), "paused"))
        await change.note(send, "pause", actor, f"{send.emitted} of {send.audience} were out")
    return send


async def resume(pool: asyncpg.Pool, project_id: str, send_id: str, *, actor: str, dry_run: bool = False) -> SendRow:
    """Have it go on where it was. Raises NotFound, NotPossible, TryLater."""
    async with Sends(pool).change(dry_run=dry_run) as change:
        send = await change.resume(await _in_status(change, pool, project_id, send_id, ("PAUSED",), "resumed"))
        await change.note(send, "resume", actor)
    return send


async def stop(pool: asyncpg.Pool, project_id: str, send_id: str, *, actor: str, dry_run: bool = False) -> Stopped:
    """Have nothing more of it leave: not what is queued, nor what still comes. What has gone stays so.

    Raises NotFound, NotPossible, TryLater.
    """
    async with Sends(pool).change(dry_run=dry_run) as change:
        possible: tuple[SendStatus, ...] = ("TO SEND", "SENDING", "PAUSED", "DONE")
        send = await _in_status(change, pool, project_id, send_id, possible, "stopped")
        after, canceled = await change.stop(send, f"its send was stopped by {actor}", actor)
        await change.note(after, "stop", actor, f"{after.gone} had gone, {canceled} were queued")
    return Stopped(after, after.gone or 0, canceled)


async def _in_status(
    change: SendChange,
    pool: asyncpg.Pool,
    project_id: str,
    send_id: str,
    statuses: Sequence[SendStatus],
    done: str,
    seen: int | None = None,
) -> SendRow:
    send = await _found(change, pool, project_id, send_id)
    if seen is not None and seen != send.revision:
        raise NotPossible(f"{send_id} was edited since you looked at it: look again, nothing was done")
    if send.status not in statuses:
        raise NotPossible(f"{send_id} is {send.status} and cannot be {done}; that can be one which is {_any(statuses)}")
    return send


def _any(statuses: Sequence[str]) -> str:
    return " or ".join(filter(None, (", ".join(statuses[:-1]), statuses[-1])))


async def _found(change: SendChange, pool: asyncpg.Pool, project_id: str, send_id: str) -> SendRow:
    send = await change.lock(project_id, send_id)
    if send is None:
        raise not_found("send", send_id, await Sends(pool).ids(project_id))
    return send


# -- looking ------------------------------------------------------------------------------------------------------


async def find(pool: asyncpg.Pool, project_id: str, send_id: str) -> SendRow:
    """One send. Raises NotFound, TryLater."""
    send = await Sends(pool).find(project_id, send_id)
    if send is None:
        raise not_found("send", send_id, await Sends(pool).ids(project_id))
    return send


def read_status(text: str) -> SendStatus:
    """A status by its name, in small letters as well. Raises TidingsError that says which there are."""
    known = members(SendStatus)
    if text.upper() not in known:
        raise TidingsError(f"status: {unknown(text, known)}")
    return cast(SendStatus, text.upper())


async def listed(
    pool: asyncpg.Pool, project_id: str, limit: int, status: SendStatus | None = None, after: SendPlace | None = None
) -> list[SendRow]:
    """The newest sends, those of a status where one is named, behind a place. Raises TryLater."""
    return await Sends(pool).listed(project_id, limit, status, after)


async def show(pool: asyncpg.Pool, project_id: str, send_id: str) -> SendShown:
    """One send with what became of it. Raises NotFound, TryLater."""
    sends, send = Sends(pool), await find(pool, project_id, send_id)
    if send.starts_at is None and send.is_open:
        send = replace(send, audience=(await sends.count(project_id, send_id))[0])
    rows = await sends.actions(project_id, send_id)
    return SendShown(send, await sends.progress(project_id, send_id), tuple(ActionTaken(**row) for row in rows))
