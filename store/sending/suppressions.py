"""The suppression list of each project: what nothing is sent to, why, and until when."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import asyncpg

from schemas.audit import AuditAction, AuditEntry
from schemas.closed import ChannelName
from schemas.suppression import (
    OWNER_WROTE,
    STRONGEST_FIRST,
    Address,
    NewSuppression,
    Suppression,
    SuppressionReason,
    key_hash,
)
from store import audit
from store.postgres import changing, passing_errors, storable
from store.sql import queries

_ON_ALL = ""
_BATCH_SIZE = 5000
_HASHES = 100
"""Those that one row of the audit log names, at most."""


class Place(NamedTuple):
    """The hash of an entry's key and its channel: an order that says nothing of whose address it is."""

    key_hash: UUID
    channel: str


_FIRST = Place(UUID(int=0), _ON_ALL)


@dataclass(frozen=True, slots=True)
class SoftBounce:
    """A message that a mailbox did not take for now.

    `taken_at` is when its server took it, where that told of it later; None where it was refused just now.
    """

    customer_id: str
    taken_at: datetime | None = None


class Suppressions:
    """Every call is one statement. Raises TryLater while Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql = queries("suppressions")

    async def add(self, entries: Sequence[NewSuppression], *, by: str | None = None, dry_run: bool = False) -> int:
        """Add entries; how many are new or last longer now. What is there is never shortened or weakened.

        `by` is the person or key that adds them; None for what was learnt from answers.
        """
        rows = [
            (
                one.project_id, key_hash(one.key), one.channel or _ON_ALL, one.key, one.reason, storable(one.source),
                one.expires_at, one.lasts, one.added_at, storable(one.added_by),
            )
            for one in sorted(entries, key=lambda one: one.key)
        ]  # fmt: skip
        if not rows:
            return 0
        columns = [list(column) for column in zip(*rows, strict=True)]
        async with changing(self._pool, dry_run=dry_run) as connection:
            count = int(await connection.fetchval(self._sql["add_suppressions"], *columns, list(STRONGEST_FIRST)))
            if count and by is not None:
                await audit.write(connection, *_told("suppressions.added", entries, count, by))
        return count

    async def know_size(self) -> None:
        """Have the planner know of many new entries: claims would read all of a project's to look one up."""
        async with passing_errors(self._pool):
            await self._pool.execute("analyze suppressions")

    async def count_bounces(self, bounced: Mapping[Address, SoftBounce]) -> dict[Address, tuple[int, timedelta]]:
        """Count a soft bounce of each: those in a row, and the time from the first to the last."""
        if not bounced:
            return {}
        by_columns = {_columns(one): one for one in bounced}
        values = [(*_columns(address), one.customer_id, one.taken_at) for address, one in bounced.items()]
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(self._sql["count_bounces"], *map(list, zip(*values, strict=True)))
        return {
            by_columns[row["project_id"], row["key_hash"].hex, row["channel"]]: (row["bounces"], row["span"])
            for row in rows
        }

    async def remove(
        self, project_id: str, key: str, channel: ChannelName | None = None, *, by: str, dry_run: bool = False
    ) -> int:
        """Take the entry of a channel off the list, or without one each that the key has; how many."""
        async with changing(self._pool, dry_run=dry_run) as connection:
            rows = await connection.fetch(self._sql["remove_suppressions"], project_id, key_hash(key), channel)
            if rows:
                said = {"count": len(rows), "channel": channel, "hashes": [key_hash(key)]}
                await audit.write(
                    connection, AuditEntry(project_id, by, "suppressions.removed", key_hash(key), None, said)
                )
        return len(rows)

    async def lift(self, project_id: str, key: str, channel: ChannelName) -> int:
        """Take off the list what the owner of a key asked for; how many. What anybody else put there stays."""
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(
                self._sql["lift_suppression"], project_id, key_hash(key), channel, OWNER_WROTE
            )
        return len(rows)

    async def find(self, project_id: str, keys: Iterable[str]) -> list[Suppression]:
        """The entries of some keys that are not over."""
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(self._sql["find_suppressions"], project_id, [key_hash(key) for key in keys])
        return [_read(row) for row in rows]

    async def page(
        self,
        project_id: str,
        *,
        channel: ChannelName | None = None,
        reason: SuppressionReason | None = None,
        after: Place | None = None,
        limit: int,
    ) -> list[Suppression]:
        """Some entries that are not over, in the order of their places, behind one."""
        behind = after or _FIRST
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(self._sql["page_suppressions"], project_id, *behind, channel, reason, limit)
        return [_read(row) for row in rows]

    async def all(self, project_id: str) -> AsyncIterator[Suppression]:
        """Every entry that is not over, in the order of the keys, read in parts."""
        behind = ("", "")
        while True:
            async with passing_errors(self._pool):
                rows = await self._pool.fetch(self._sql["list_suppressions"], project_id, *behind, _BATCH_SIZE)
            for row in rows:
                yield _read(row)
            if len(rows) < _BATCH_SIZE:
                return
            behind = rows[-1]["key"], rows[-1]["channel"]


def _told(action: AuditAction, entries: Sequence[NewSuppression], count: int, by: str) -> Iterator[AuditEntry]:
    """A row of the audit log a project: how many of those given made a difference, and the hashes of the first."""
    for project_id in sorted({one.project_id for one in entries}):
        own = [one for one in entries if one.project_id == project_id]
        hashes = sorted({key_hash(one.key) for one in own})
        said = {
            "count": count,
            "given": len(own),
            "reasons": sorted({one.reason for one in own}),
            "channels": sorted({one.channel or "every channel" for one in own}),
            "hashes": hashes[:_HASHES],
        }
        yield AuditEntry(project_id, by, action, hashes[0] if len(hashes) == 1 else "", None, said)


def place_of(one: Suppression) -> Place:
    """The place of an entry among those of its project."""
    return Place(UUID(hex=key_hash(one.key)), one.channel or _ON_ALL)


def _columns(address: Address) -> tuple[str, str, str]:
    return address.project_id, key_hash(address.key), address.channel


def _read(row: asyncpg.Record) -> Suppression:
    return Suppression(**{**row, "channel": row["channel"] or None})
