"""Campaigns as they were applied: the newest version of each, and every version with the object that it sends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg
import msgspec

from schemas.audit import AuditAction, AuditEntry, differences
from schemas.campaign import Campaign, campaign_object
from schemas.managed import ManagedThing
from store import audit
from store.distributions import VersionConflict
from store.managed import Keep, kept
from store.postgres import passing_errors
from store.sql import queries


@dataclass(frozen=True, slots=True)
class CampaignChange:
    """One campaign to save, and its source as written."""

    campaign: Campaign
    source: str


class Campaigns:
    """Raises TryLater while Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql = queries("campaigns")

    async def current(self, project_id: str) -> dict[str, Campaign]:
        """The newest version of each campaign of a project, by id."""
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(self._sql["current_campaigns"], project_id)
        return {row["id"]: msgspec.json.decode(row["definition"], type=Campaign) for row in rows}

    async def sources(self, project_id: str) -> dict[str, str]:
        """The source of the newest version of each campaign of a project, by id."""
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(self._sql["sources"], project_id)
        return {row["id"]: row["source"] for row in rows}

    async def save(
        self, changes: Sequence[CampaignChange], *, applied_by: str, now: datetime, keep: Keep | None = None
    ) -> None:
        """Keep new versions, all or nothing. Raises VersionConflict, and what `keep` raises."""
        ordered = sorted(changes, key=lambda change: change.campaign.id)
        async with passing_errors(self._pool), self._pool.acquire() as connection, connection.transaction():
            things = [ManagedThing(one.campaign.project_id, "campaign", one.campaign.id) for one in ordered]
            entries = await kept(keep, connection, things, applied_by)
            entries += [await self._save_one(connection, change, applied_by, now) for change in ordered]
            await audit.write(connection, *entries)

    async def _save_one(
        self, connection: asyncpg.Connection, change: CampaignChange, applied_by: str, now: datetime
    ) -> AuditEntry:
        one = change.campaign
        text = await connection.fetchval(self._sql["definition"], one.project_id, one.id)
        before = None if text is None else msgspec.json.decode(text, type=Campaign)
        definition = msgspec.json.encode(one).decode()
        key = await connection.fetchval(self._sql["put_campaign"], one.project_id, one.id, one.version, definition)
        if key is None:
            raise VersionConflict(f"{one.id} v{one.version} exists already; plan again and apply")
        sent = msgspec.json.encode(campaign_object(one)).decode()
        await connection.execute(
            self._sql["add_version"], key, one.version, definition, sent, change.source, applied_by, now
        )
        action: AuditAction = "campaign.created" if before is None else "campaign.changed"
        return AuditEntry(one.project_id, applied_by, action, one.id, one.version, differences(before, one))
