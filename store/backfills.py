"""Backfills as distributions are saved: the send to a segment's members begins in the transaction that sets it live."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from schemas.audit import AuditEntry
from schemas.backfill import asks, begins, made_before, with_moment
from schemas.distribution import Backfill, Distribution
from schemas.errors import TidingsError
from store.clock import database_now
from store.sends import SendChange
from store.sql import queries

_REACTING = ("LIVE", "PAUSED")


class SegmentMissing(TidingsError):
    """A distribution cannot be set live for the members of a segment that is not one of ours."""


async def save_backfill(connection: Any, after: Distribution, actor: str, entries: list[AuditEntry]) -> Distribution:
    """The version to save, after its backfill began, and those that it does not go on with were stopped.

    What was done to sends is added to `entries`, which the caller writes at the end.

    Raises SegmentMissing.
    """
    text = await connection.fetchval(queries("control")["before"], after.project_id, after.id, after.version)
    before = None if text is None else msgspec.json.decode(text, type=Distribution)
    if not asks(after) and (before is None or not asks(before)):
        return after
    sends = SendChange(connection, queries("sends"))
    sends.entries = entries
    has_begun = True
    if after.status not in _REACTING or made_before(before, after) is None:
        has_begun = await _stop(sends, after, actor)
    saved = with_moment(before, after, await database_now(connection))
    if not has_begun and saved.backfill is not None and not begins(before, after):
        saved = msgspec.structs.replace(saved, backfill=Backfill(who=saved.backfill.who))
    if begins(before, after):
        await _begin(sends, saved, actor)
    return saved


async def _begin(sends: SendChange, rule: Distribution, actor: str) -> None:
    draft = await sends.add_backfill(_send_id(rule), rule, actor)
    if draft is None:
        raise SegmentMissing(
            f"{rule.id}: backfill needs a segment of ours, and there is no segment {rule.trigger.segment}"
        )
    send = await sends.confirm(draft)
    await sends.note(send, "set live", actor, f"{rule.id} v{rule.version}, {send.audience} customers")


async def _stop(sends: SendChange, rule: Distribution, actor: str) -> bool:
    """Stop what earlier versions began: it is over, or is for others, or for those who enter later alone.

    False where something was stopped and nothing of it was out: then it can begin anew.
    """
    stopped = await sends.backfills(rule.project_id, rule.id)
    for send in stopped:
        after, canceled = await sends.stop(send, f"its distribution was changed by {actor}", actor)
        said = f"{rule.id} v{rule.version} is {rule.status}; {after.gone} had gone, {canceled} were queued"
        await sends.note(after, "stop", actor, said)
    return not stopped or any(send.version is not None for send in stopped)


def _send_id(rule: Distribution) -> str:
    """The id of the one backfill that a version may begin."""
    parts = (rule.project_id, rule.id, str(rule.version))
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return "backfill_" + hashlib.blake2b(text.encode(), digest_size=12).hexdigest()
