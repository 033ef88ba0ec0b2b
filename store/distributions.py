"""The control plane: versions of distributions, their templates, and the outbox that tells Kafka."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from schemas.audit import AuditAction, AuditEntry, differences
from schemas.closed import DistributionStatus
from schemas.distribution import Distribution
from schemas.errors import TidingsError
from schemas.managed import ManagedThing
from schemas.template import StoredTemplate
from schemas.topics import DISTRIBUTIONS
from store import audit
from store.backfills import save_backfill
from store.managed import Keep, kept
from store.postgres import passing_errors
from store.sql import queries

_OUTBOX_BATCH = 500


class VersionConflict(TidingsError):
    """Somebody else applied the same distribution in between; look at the plan again."""


@dataclass(frozen=True, slots=True)
class Change:
    """One distribution to save: the record, its source as written, and the templates that it names.

    `attached` are the contents of the files that its messages bring along, by digest.
    """

    distribution: Distribution
    source: str
    templates: tuple[StoredTemplate, ...]
    attached: Mapping[str, bytes] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class KeptVersion:
    """A version of a distribution, its source as written (empty where only its status changed), and who applied it."""

    version: int
    definition: Distribution
    source: str
    applied_by: str
    applied_at: datetime


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """A record that Kafka has to get. `payload` is the record as JSON; None is a tombstone."""

    id: int
    topic: str
    key: str
    payload: bytes | None


class Control:
    """Raises TryLater while Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql = queries("control")

    async def current(self, project_id: str) -> dict[str, Distribution]:
        """The newest version of each distribution of a project, by id."""
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(self._sql["current_distributions"], project_id)
        return {row["distribution_id"]: _read(row["definition"], Distribution) for row in rows}

    async def after(
        self, project_id: str, distribution_id: str, limit: int, *, status: str | None = None, text: str | None = None
    ) -> list[Distribution]:
        """The newest version of each of some distributions of a project: those behind an id, in order.

        Only those in a state, or with a text in their id or their name, where one is given; those that are archived
        only where that is the state.
        """
        asked = project_id, distribution_id, limit, status, text
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(self._sql["distributions_after"], *asked)
        return [_read(row["definition"], Distribution) for row in rows]

    async def newest(self, project_id: str, distribution_id: str) -> Distribution | None:
        """The newest version of a distribution."""
        async with passing_errors(self._pool):
            definition = await self._pool.fetchval(self._sql["newest"], project_id, distribution_id)
        return None if definition is None else _read(definition, Distribution)

    async def versions(self, project_id: str, distribution_id: str, before: int, limit: int) -> list[KeptVersion]:
        """Some versions of a distribution, newest first: those before a number."""
        async with passing_errors(self._pool):
            page = project_id, distribution_id, before, limit
            rows = await self._pool.fetch(self._sql["versions_before"], *page)
        return [KeptVersion(**{**row, "definition": _read(row["definition"], Distribution)}) for row in rows]

    async def save(
        self, changes: Sequence[Change], *, applied_by: str, now: datetime, keep: Keep | None = None
    ) -> None:
        """Keep versions and templates and fill the outbox, all or nothing; backfills begin with that.

        Raises VersionConflict, SegmentMissing, and what `keep` raises.
        """
        async with passing_errors(self._pool), self._pool.acquire() as connection, connection.transaction():
            things = [ManagedThing(one.distribution.project_id, "distribution", one.distribution.id) for one in changes]
            entries = await kept(keep, connection, things, applied_by)
            for change in changes:
                await self._save_one(connection, change, applied_by, now, entries)
            await audit.write(connection, *entries)

    async def _save_one(
        self,
        connection: asyncpg.Connection,
        change: Change,
        applied_by: str,
        now: datetime,
        entries: list[AuditEntry],
    ) -> None:
        rule = await save_backfill(connection, change.distribution, applied_by, entries)
        definition = _text(rule)
        version = (rule.id, rule.version, rule.project_id, definition, change.source, applied_by, now)
        text = await connection.fetchval(self._sql["before"], rule.project_id, rule.id, rule.version)
        if text is None and rule.version > 1:
            raise VersionConflict(f"{rule.id} was deleted in between; plan again and apply")
        try:
            await connection.execute(self._sql["add_version"], *version)
        except asyncpg.UniqueViolationError as error:
            raise VersionConflict(f"{rule.id} v{rule.version} exists already; plan again and apply") from error
        for template in change.templates:
            if template.version is not None:
                await self._hold(connection, rule.project_id, template.name)
            ref = template.ref
            await connection.execute(self._sql["put_template"], ref.digest, ref.name, _text(template), now)
        for digest, data in sorted(change.attached.items()):
            await connection.execute(self._sql["put_file"], digest, data, now)
        await connection.execute(self._sql["add_to_outbox"], DISTRIBUTIONS, rule.id, definition, now)
        before = None if text is None else _read(text, Distribution)
        said = differences(before, rule)
        action = _action(before, rule, said)
        entries.append(AuditEntry(rule.project_id, applied_by, action, rule.id, rule.version, said))

    async def _hold(self, connection: asyncpg.Connection, project_id: str, name: str) -> None:
        if not await connection.fetchval(self._sql["hold_template"], project_id, name):
            raise VersionConflict(f"template {name} was deleted in between; plan again and apply")

    async def set_status(
        self,
        before: Distribution,
        status: DistributionStatus,
        *,
        applied_by: str,
        now: datetime,
        keep: Keep | None = None,
    ) -> Distribution:
        """Save a version that differs from the newest one in its status alone. Raises VersionConflict."""
        after = msgspec.structs.replace(before, version=before.version + 1, status=status, updated_at=now)
        await self.save([Change(after, "", ())], applied_by=applied_by, now=now, keep=keep)
        return after

    async def sources(self, project_id: str) -> dict[str, tuple[Distribution, str]]:
        """By id, the newest version that was written, and its source: steps of a life are not."""
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(self._sql["sources"], project_id)
        return {row["distribution_id"]: (_read(row["definition"], Distribution), row["source"]) for row in rows}

    async def history(self, project_id: str, distribution_id: str) -> list[asyncpg.Record]:
        """version, definition, source, applied_by, applied_at; newest first."""
        async with passing_errors(self._pool):
            rows: list[asyncpg.Record] = await self._pool.fetch(self._sql["history"], project_id, distribution_id)
            return rows

    async def template(self, digest: str) -> StoredTemplate | None:
        """A template by content."""
        async with passing_errors(self._pool):
            body = await self._pool.fetchval(self._sql["get_template"], digest)
        return None if body is None else _read(body, StoredTemplate)

    async def file(self, digest: str) -> bytes | None:
        """The content of a file that messages bring along; None where it is not kept."""
        async with passing_errors(self._pool):
            data: bytes | None = await self._pool.fetchval(self._sql["get_file"], digest)
        return data

    async def publish_outbox(self, publish: Callable[[Sequence[OutboxEntry]], Awaitable[None]]) -> int:
        """Pass entries to `publish`, oldest first, and forget them after it returned; their number.

        Where `publish` raises, or the process dies, they stay and are published again: the topic is compacted.
        """
        published = 0
        while True:
            async with passing_errors(self._pool), self._pool.acquire() as connection, connection.transaction():
                rows = await connection.fetch(self._sql["take_outbox"], _OUTBOX_BATCH)
                if not rows:
                    return published
                await publish([_entry(row) for row in rows])
                await connection.execute(self._sql["forget_outbox"], [row["id"] for row in rows])
            published += len(rows)


_OF_STATUS: Mapping[str, AuditAction] = {
    "LIVE": "distribution.set_live",
    "PAUSED": "distribution.paused",
    "STOPPED": "distribution.stopped",
    "ARCHIVED": "distribution.archived",
}


def _action(before: Distribution | None, after: Distribution, said: Mapping[str, Any]) -> AuditAction:
    """The name of a change: that of a step where little but its status differs."""
    if before is None:
        return "distribution.created"
    is_step = said.get("after", {}).keys() <= {"status", "backfill"}  # a backfill begins with it
    if before.status == after.status or not is_step:
        return "distribution.changed"
    if (before.status, after.status) == ("PAUSED", "LIVE"):
        return "distribution.resumed"
    if before.status == "ARCHIVED" and after.status != "LIVE":
        return "distribution.restored"
    return _OF_STATUS.get(after.status, "distribution.changed")


def _entry(row: asyncpg.Record) -> OutboxEntry:
    payload = None if row["payload"] is None else row["payload"].encode()
    return OutboxEntry(row["id"], row["topic"], row["key"], payload)


def _text(record: msgspec.Struct) -> str:
    return msgspec.json.encode(record).decode()


def _read(text: str, kind: Any) -> Any:
    return msgspec.json.decode(text, type=kind)
