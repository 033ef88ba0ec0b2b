"""The audit log: who changed what and when, and whether its chain is as it was written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo

from console.control.moments import moment_or_ago
from schemas.audit import AUDIT_ACTIONS, AUDIT_NOUNS, FIRST_HASH, AuditAction, hash_of_row
from schemas.errors import BadQuestion
from store.audit import AuditFilter, AuditLog, Chained
from streams.values.wording import unknown


@dataclass(frozen=True, slots=True)
class Asked:
    """The rows that somebody wants: all that every given field fits. `action` is one, or a noun for all of its own."""

    thing: str | None = None
    actor: str | None = None
    action: str | None = None
    since: str | None = None
    until: str | None = None


@dataclass(frozen=True, slots=True)
class Verified:
    """The rows of a chain that fit, and the hash of the newest of them; `fault` says which row is the first that
    does not.
    """

    rows: int
    hash: str
    fault: str | None = None
    contains: bool | None = None


def read_filter(project_id: str, zone: tzinfo, now: datetime, asked: Asked) -> AuditFilter:
    """The rows that are asked for. Raises BadQuestion."""
    since, until = (
        None if written is None else moment_or_ago(name, written, now, zone)
        for name, written in (("since", asked.since), ("until", asked.until))
    )
    return AuditFilter(project_id, asked.thing, asked.actor, _actions(asked.action), since, until)


def _actions(written: str | None) -> tuple[AuditAction, ...] | None:
    if written is None:
        return None
    found = tuple(one for one in AUDIT_ACTIONS if written in (one, one.partition(".")[0]))
    if not found:
        raise BadQuestion(unknown(written, (*AUDIT_NOUNS, *AUDIT_ACTIONS)), "action")
    return found


async def page(log: AuditLog, chosen: AuditFilter, limit: int, before: int | None = None) -> list[Chained]:
    """Some rows, the newest first, before a position. Raises TryLater."""
    return await log.page(chosen, limit, before)


async def verify(log: AuditLog, project_id: str, contains: str | None = None) -> Verified:
    """Hold every row against its hash and the one before; `contains` is a hash that was newest once.

    Raises BadQuestion, TryLater.
    """
    kept = _read_hash(contains)
    rows, before, found = 0, FIRST_HASH, kept == FIRST_HASH
    async for one in log.chain(project_id):
        if fault := _fault(one, rows + 1, before):
            return Verified(rows, before.hex(), fault)
        rows, before = rows + 1, one.hash
        found = found or one.hash == kept
    return Verified(rows, before.hex(), None, None if kept is None else found)


def _fault(one: Chained, position: int, before: bytes) -> str | None:
    if one.row.position != position:
        return f"row {position} is missing: row {one.row.position} follows"
    if hash_of_row(one.row, before) != one.hash:
        return f"row {position} does not fit: it was changed, or the one before it with its hash"
    return None


def _read_hash(written: str | None) -> bytes | None:
    try:
        kept = None if written is None else bytes.fromhex(written)
    except ValueError:
        kept = b""
    if kept is not None and len(kept) != len(FIRST_HASH):
        raise BadQuestion(
            "is not valid: must be a hash of 64 hexadecimal digits, as `tidings audit verify` says it", "contains"
        )
    return kept
