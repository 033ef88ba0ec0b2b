"""The audit log: who changed what and when, and whether its chain is as it was written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo

from agents.broker.reader import TopicReader
from agents.broker.wire import Wire
from console.control.moments import moment_or_ago
from schemas.audit import AUDIT_ACTIONS, AUDIT_NOUNS, FIRST_HASH, AuditAction, hash_of_row
from schemas.errors import BadQuestion
from schemas.topics import AUDIT
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


_MADE_ANEW = "the log was made anew, or goes on from a backup"


@dataclass(frozen=True, slots=True)
class Told:
    """The hash of each row that the topic has, by its position; `fault` where the topic contradicts itself."""

    hashes: Mapping[int, str]
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Mirrored:
    """The rows of the log that the topic keeps, and how many newer ones are still to be told; `fault` says what differs
    first.
    """

    rows: int
    behind: int
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Verified:
    """The rows of a chain that fit, and the hash of the newest of them; `fault` says which row is the first that
    does not.
    """

    rows: int
    hash: str
    fault: str | None = None
    contains: bool | None = None
    topic: Mirrored | None = None


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


async def verify(log: AuditLog, project_id: str, contains: str | None = None, told: Told | None = None) -> Verified:
    """Hold every row against its hash and the one before; `contains` is a hash that was newest once, `told` what the
    topic had before. Raises BadQuestion, TryLater.
    """
    kept = _read_hash(contains)
    mirror = None if told is None else _Mirror(told)
    rows, before, found = 0, FIRST_HASH, kept == FIRST_HASH
    async for one in log.chain(project_id):
        if fault := _fault(one, rows + 1, before):
            return Verified(rows, before.hex(), fault)
        rows, before = rows + 1, one.hash
        found = found or one.hash == kept
        if mirror is not None:
            mirror.hold(one)
    mirrored = None if mirror is None else mirror.end()
    return Verified(rows, before.hex(), None, None if kept is None else found, mirrored)


def hashes_on_topic(wire: Wire, project_id: str) -> Told:
    """The rows of a project that the topic has; blocks. Raises TidingsError, TryLater."""
    key, hashes, fault = project_id.encode(), dict[int, str](), None
    with TopicReader(wire, AUDIT) as reader:
        for message in reader.until_now():
            if message.key() == key:
                record = reader.decode(message)
                position, kept = record["position"], record["hash"]
                if hashes.setdefault(position, kept) != kept:
                    fault = fault or f"row {position} is on the topic with two hashes: {_MADE_ANEW}"
    return Told(hashes, fault)


class _Mirror:
    """Holds rows, in the order of their chain, against those that the topic has."""

    def __init__(self, told: Told) -> None:
        self._hashes, self._fault = told.hashes, told.fault
        self._first, self._last = min(told.hashes, default=0), max(told.hashes, default=0)
        self._rows = self._behind = 0

    def hold(self, one: Chained) -> None:
        position = one.row.position
        if position > self._last:
            self._behind += 1
        elif position >= self._first:
            kept = self._hashes.get(position)
            if kept is None:
                self._fault = self._fault or f"row {position} is not on the topic, which has others before and after it"
            elif kept != one.hash.hex():
                self._fault = self._fault or f"row {position} is on the topic with another hash: {_MADE_ANEW}"
            self._rows += 1

    def end(self) -> Mirrored:
        gone = len(self._hashes) - self._rows
        if gone > 0 and self._fault is None:
            self._fault = f"the topic has {gone} rows that the log has not got any more: they were removed at its end"
        return Mirrored(self._rows, self._behind, self._fault)


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
