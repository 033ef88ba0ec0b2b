"""A row of the audit log as it stands on the topic `audit`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from schemas.audit import AuditRow
from schemas.record import Record, doc

_MOST_OF_CHANGE = 1024 * 1024
"""Bytes of a change that a record takes along: with all that stands beside it the topic takes it."""


class AuditRecord(Record, frozen=True, kw_only=True):
    """A row of the audit log, in the order of its project's chain.

    A row may come again, and then with all that follow it. So the next one is that with the position behind the last;
    every other is passed by, but one that has a position again with another hash, which tells of a log that was made
    anew.
    """

    project_id: str
    position: Annotated[int, doc("In the project's chain, from 1, without gaps.")]
    hash: Annotated[str, doc("SHA-256 of the row and of the hash before, in hex.")]
    at: datetime
    actor: Annotated[str, doc("key:NAME, user:ID, or the user of a command.")]
    action: Annotated[str, doc("A noun and what was done to it, as in distribution.paused.")]
    thing: Annotated[str, doc("Its id.")]
    version: Annotated[int | None, doc("Of the thing after the change, where it counts them.")] = None
    change: Annotated[str | None, doc("The JSON that was hashed; null where it is too long: the API has it.")] = None
    request_id: str | None = None
    key_id: Annotated[str | None, doc("Of a key, or of a session.")] = None
    address: Annotated[str | None, doc("Where a request came from.")] = None

    @staticmethod
    def of(row: AuditRow, kept: bytes) -> AuditRecord:
        """The record of a row and the hash that stands with it."""
        change = row.change if len(row.change.encode()) <= _MOST_OF_CHANGE else None
        return AuditRecord(
            project_id=row.project_id, position=row.position, hash=kept.hex(), at=row.at, actor=row.actor,
            action=row.action, thing=row.thing, version=row.version, change=change, request_id=row.request_id,
            key_id=row.key_id, address=row.address,
        )  # fmt: skip
