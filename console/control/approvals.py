"""Approval of manual sends beyond a size: by another than who drew them up, of what goes out as they were shown it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from console.control.context import ProjectContext
from console.control.not_found import not_found
from schemas.access import roles_with
from schemas.approval import Basis
from schemas.errors import TidingsError
from store.send_rows import SendRow
from store.sends import SendChange, Sends
from streams.approvals import content_of, judge, most_for, parts_of


class ApprovalNeeded(TidingsError):
    """A send to so many is approved first; the message says who may do that, `changes` what has changed since."""

    def __init__(self, message: str, changes: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.changes = tuple(changes)


class NotApprovable(TidingsError):
    """It cannot be approved as it stands, or by whom; the message says what can."""


class ContentChanged(TidingsError):
    """It is no longer what whoever approves was shown."""


@dataclass(frozen=True, slots=True)
class ShownApproval:
    """A send beside its approval. `content` is the digest of what goes out, `audience` to how many, as of now.

    `changes` says what is different from what was approved by `approved_by`: then it does not count any more.
    """

    above: int
    is_needed: bool
    is_given: bool
    content: str
    audience: int
    approved_by: str | None
    approved_at: datetime | None
    changes: tuple[str, ...]
    not_by: tuple[str, ...]


async def look(pool: asyncpg.Pool, project: ProjectContext, send_id: str) -> ShownApproval | None:
    """A send beside its approval; None where its project asks for none. Raises NotFound, TryLater."""
    send = await Sends(pool).find(project.project_id, send_id)
    if send is None:
        raise not_found("send", send_id, await Sends(pool).ids(project.project_id))
    above = _above(send, project)
    if above is None:
        return None
    async with Sends(pool).change(dry_run=True) as change:
        basis = await change.approvals.basis(send)
        return None if basis is None else await _shown(change, send, above, basis)


async def approve(
    pool: asyncpg.Pool,
    project: ProjectContext,
    send_id: str,
    content: str,
    audience: int,
    *,
    actor: str,
    dry_run: bool = False,
) -> tuple[SendRow, ShownApproval]:
    """Approve of a send as it was shown: of this content, to so many customers.

    Raises NotFound, NotApprovable, ContentChanged, TryLater.
    """
    async with Sends(pool).change(dry_run=dry_run) as change:
        send = await _found(change, pool, project.project_id, send_id)
        above, basis = _above(send, project), await change.approvals.basis(send)
        if above is None or basis is None:
            raise NotApprovable(f"{send_id} needs no approval: {_why_none(send, basis)}")
        await _check_approver(change, send, actor)
        parts = parts_of(basis)
        if content != content_of(parts):
            raise ContentChanged(f"{send_id} is not what you were shown any more: look at it again")
        if basis.audience > most_for(audience):
            raise ContentChanged(f"{send_id} goes to {basis.audience} customers by now, not to {audience}")
        await change.approvals.approve(send, audience, parts, actor)
        await change.note(send, "approve", actor, f"{audience} customers, content {content[:16]}")
        return send, await _shown(change, send, above, basis)


async def require(change: SendChange, send: SendRow, project: ProjectContext) -> None:
    """Have a send confirmed only with the approval that it needs. Raises ApprovalNeeded."""
    basis = await change.approvals.basis(send)
    if basis is None or project.approve_above is None:
        return
    verdict = judge(project.approve_above, basis, await change.approvals.find(send))
    if verdict.may_go:
        return
    by = await change.approvals.authors(send)
    why = f"; what was approved has changed: {', '.join(verdict.changes)}" if verdict.changes else ""
    raise ApprovalNeeded(
        f"{send.send_id} goes to {basis.audience} customers, and above {project.approve_above} it has to be approved "
        f"first by somebody with the role {_roles()} who is not {' or '.join(by)}, who wrote it{why}",
        verdict.changes,
    )


async def _check_approver(change: SendChange, send: SendRow, actor: str) -> None:
    if send.version is not None or not send.is_open:
        raise NotApprovable(f"{send.send_id} is {send.status}: it is approved before it begins")
    if actor in await change.approvals.authors(send):
        raise NotApprovable(f"{actor} wrote {send.send_id}: it is approved by somebody else with the role {_roles()}")


async def _shown(change: SendChange, send: SendRow, above: int, basis: Basis) -> ShownApproval:
    given = await change.approvals.find(send)
    verdict = judge(above, basis, given)
    by, at = (given.approved_by, given.approved_at) if given else (None, None)
    return ShownApproval(
        above, verdict.is_needed, verdict.is_given, content_of(parts_of(basis)), basis.audience, by, at,
        verdict.changes, tuple(await change.approvals.authors(send)),
    )  # fmt: skip


def _above(send: SendRow, project: ProjectContext) -> int | None:
    """The size that counts: of a send that is confirmed, that of then."""
    if send.backfill is not None:
        return None
    return project.approve_above if send.confirmed_at is None else send.approve_above


def _why_none(send: SendRow, basis: Basis | None) -> str:
    if send.backfill is not None:
        return "it is a backfill, which began when its distribution was set live"
    if basis is None:
        return f"distribution {send.distribution_id} is not there"
    return "its project has not said above how many customers one would be needed (approvals: {above: 1000})"


def _roles() -> str:
    return " or ".join(roles_with("sends:approve"))


async def _found(change: SendChange, pool: asyncpg.Pool, project_id: str, send_id: str) -> SendRow:
    send = await change.lock(project_id, send_id)
    if send is None:
        raise not_found("send", send_id, await Sends(pool).ids(project_id))
    return send
