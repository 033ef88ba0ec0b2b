"""Code pools: a code is claimed once, by the publication that asked first, and stays the same for it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg
import msgspec

from schemas.audit import AuditEntry
from schemas.campaign import Campaign, CodeConfig
from schemas.errors import TidingsError
from schemas.patterns import Choose, pattern_regex
from store import audit
from store.clock import database_now
from store.codes.claiming import Claiming, lock_pools
from store.codes.claims import Answer, Claim
from store.codes.making import Maker
from store.postgres import passing_errors, transaction
from store.sql import queries


@dataclass(frozen=True, slots=True)
class Count:
    """The counts of a pool. `capacity` is how many codes the pattern can give; None for a fixed pool.

    `is_exhausted` says that the pattern is known to give no more; a campaign of tiers gives none and
    is never low.
    """

    project_id: str
    campaign_id: str
    total: int
    published: int
    inactive: int
    expired: int
    low_water: int
    capacity: int | None
    is_exhausted: bool = False
    gives_codes: bool = True

    @property
    def free(self) -> int:
        """Codes that can be claimed now or later."""
        return self.total - self.published - self.inactive - self.expired

    @property
    def left(self) -> int:
        """Free codes, and those that the pattern can still give (at most: other campaigns may hold some)."""
        if self.capacity is None or self.is_exhausted:
            return self.free
        return self.free + max(0, self.capacity - self.total)

    @property
    def is_low(self) -> bool:
        """True when it is time to add codes."""
        return self.gives_codes and self.left <= self.low_water


class Codes:
    """Raises TryLater while Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql = queries("codes")

    async def now(self) -> datetime:
        """The database's time: what has begun and ended is the same for all publishers."""
        async with passing_errors(self._pool):
            return await database_now(self._pool)

    async def claim(self, claims: Sequence[Claim], now: datetime, *, choose: Choose = secrets.choice) -> list[Answer]:
        """One answer a claim, in order, in one transaction. `choose` makes the codes of AUTO_UPDATE campaigns."""
        if not claims:
            return []

        async def claim(connection: asyncpg.Connection) -> Claiming:
            claiming = Claiming(connection, now, choose)
            await claiming.claim(claims)
            return claiming

        return (await transaction(self._pool, claim)).answers(claims)

    async def add(self, project_id: str, campaign_id: str, codes: Sequence[str], now: datetime) -> int:
        """Add codes to a pool in their order; how many were new to the project. Raises TidingsError, TryLater."""
        distinct = list(dict.fromkeys(codes))

        async def add(connection: asyncpg.Connection) -> int:
            row = await connection.fetchrow(self._sql["lock_campaign"], project_id, campaign_id)
            if row is None:
                raise TidingsError(f'no campaign "{campaign_id}"')
            place = row["next_position"]
            added = await connection.fetch(self._sql["add_made"], row["key"], place, project_id, distinct, now)
            if added:
                await connection.execute(self._sql["count_added"], row["key"], len(added), len(distinct), now)
            return len(added)

        return await transaction(self._pool, add)

    async def generate(
        self,
        project_id: str,
        campaign_id: str,
        count: int,
        now: datetime,
        *,
        by: str,
        choose: Choose = secrets.choice,
    ) -> int:
        """Make codes of the campaign's pattern ahead of time; how many could be made. Raises TidingsError, TryLater."""

        async def generate(connection: asyncpg.Connection) -> int:
            pool = (await lock_pools(connection, [(project_id, campaign_id)])).get((project_id, campaign_id))
            if pool is None:
                raise TidingsError(f'no campaign "{campaign_id}"')
            making = pool.making()
            if making is None:
                raise TidingsError(f"{campaign_id} has no code_config")
            await Maker(connection, now, choose).make(making, count)
            if making.rows:
                await connection.execute(self._sql["count_added"], pool.key, len(making.rows), making.tried, now)
                said = {"count": len(making.rows)}
                await audit.write(connection, AuditEntry(project_id, by, "codes.generated", campaign_id, None, said))
            return len(making.rows)

        return await transaction(self._pool, generate)

    async def used(self, project_id: str, config: CodeConfig) -> int:
        """The number of codes of a pattern that the project has, in whichever campaign."""
        async with passing_errors(self._pool):
            return int(await self._pool.fetchval(self._sql["count_pattern"], project_id, pattern_regex(config)))

    async def counts(
        self, project_id: str | None, now: datetime, campaign_ids: Sequence[str] | None = None
    ) -> list[Count]:
        """The counts of pools, all of a project's or the named ones, by id; without a project those of all."""
        ids = None if campaign_ids is None else list(campaign_ids)
        async with passing_errors(self._pool):
            rows = await self._pool.fetch(self._sql["counts"], project_id, ids, now)
        return [_count(row) for row in rows]


def _count(row: asyncpg.Record) -> Count:
    campaign = msgspec.json.decode(row["definition"], type=Campaign)
    config = campaign.code_config
    return Count(
        project_id=campaign.project_id,
        campaign_id=row["id"],
        total=row["total"],
        published=row["published"],
        inactive=row["inactive"],
        expired=row["expired"],
        low_water=campaign.low_water,
        capacity=config.capacity if config and campaign.type == "AUTO_UPDATE" else None,
        is_exhausted=row["is_exhausted"],
        gives_codes=campaign.kind != "PROMOTION",
    )
