"""The claim of a batch: under the campaigns' locks only what has to be there, everything else after they are free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import asyncpg
import msgspec

from schemas.campaign import VOUCHER_TYPES, Campaign, Code
from schemas.distribution import TRANSACTIONAL
from schemas.patterns import Choose
from store.codes.claims import Answer, Claim, Empty, Publication, Unusable, Version, Withdrawn
from store.codes.making import Maker, Making
from store.sql import queries

_COLUMNS = (
    "publication_id", "campaign_key", "version", "position", "customer_id", "customer", "distribution_id", "event_id",
    "channel", "created_at",
)  # fmt: skip
"""Of a publication, in the order of its record."""


@dataclass(slots=True)
class Pool:
    """A locked campaign and what this call does with it: `taken` are the rows of codes for the first of `wanted`."""

    key: int
    version: Version
    head: int
    next_position: int
    total: int
    was_exhausted: bool
    wanted: list[Claim] = field(default_factory=list)
    taken: list[asyncpg.Record] = field(default_factory=list)

    @property
    def campaign(self) -> Campaign:
        return self.version.campaign

    def making(self) -> Making | None:
        """The making of codes by the campaign's pattern; None without one."""
        campaign, config = self.campaign, self.campaign.code_config
        if config is None:
            return None
        return Making(self.key, campaign.project_id, config, self.next_position, self.total, self.was_exhausted)


async def lock_pools(connection: asyncpg.Connection, asked: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Pool]:
    """Those of some campaigns (project and id) that exist, locked until the transaction ends."""
    sql, projects, ids = queries("codes"), [project for project, _ in asked], [identity for _, identity in asked]
    await connection.fetch(sql["lock_campaigns"], projects, ids)
    rows = await connection.fetch(sql["locked_pools"], projects, ids)
    return {(row["project_id"], row["id"]): _pool(row) for row in rows}


class Claiming:
    """One claim of a batch: `claim` inside its transaction, and when that is through, `answers`."""

    def __init__(self, connection: asyncpg.Connection, now: datetime, choose: Choose) -> None:
        self._connection = connection
        self._sql = queries("codes")
        self._now = now
        self._choose = choose
        self._pools: dict[tuple[str, str], Pool] = {}
        self._known: dict[str, Publication] = {}
        self._joined: dict[tuple[int, str], Publication] = {}
        self._refused: dict[str, Unusable | Withdrawn] = {}

    async def claim(self, claims: Sequence[Claim]) -> None:
        """Find what was published before, and publish the rest as far as there are codes."""
        asked = sorted({(claim.project_id, claim.campaign_id) for claim in claims})
        self._pools = await lock_pools(self._connection, asked)
        await self._recall(claims)
        await self._ask_consent(claims)
        self._sort(claims)
        for pool in self._pools.values():
            if pool.wanted:
                await self._publish(pool)

    def answers(self, claims: Sequence[Claim]) -> list[Answer]:
        """One answer a claim, in order. A publication that answers several of them is new for the first alone."""
        new = set(self._remember())
        answers: list[Answer] = []
        for claim in claims:
            found = self._found(claim)
            if isinstance(found, Publication):
                identity = found.claim.publication_id
                answers.append(found.published(is_new=identity in new))
                new.discard(identity)
            else:
                answers.append(found)
        return answers

    async def _recall(self, claims: Sequence[Claim]) -> None:
        """Publications of before: under the same ids, or to the same customers of campaigns joined once."""
        versions: dict[tuple[int, int], Version] = {}
        for row in await self._fetch("publications_by_id", [claim.publication_id for claim in claims]):
            self._known[row["publication_id"]] = _publication(row, versions)
        asked = {
            (pool.key, claim.customer_id) for claim in claims if (pool := self._pool(claim)) and pool.campaign.join_once
        }
        if asked:
            keys, customers = zip(*sorted(asked), strict=True)
            for row in await self._fetch("first_publications", list(keys), list(customers)):
                self._joined[(row["campaign_key"], row["customer_id"])] = _publication(row, versions)

    async def _ask_consent(self, claims: Sequence[Claim]) -> None:
        """Refuse claims for customers who have left with us; what was published before stays published."""
        asked = [
            one for one in claims if one.category != TRANSACTIONAL and isinstance(self._found(one), Empty | Unusable)
        ]
        if not asked:
            return
        columns = ("publication_id", "project_id", "customer_id", "category")
        given = [[getattr(one, name) for one in asked] for name in columns]
        for row in await self._fetch("left_with_us", *given):
            self._refused[row["publication_id"]] = Withdrawn(row["detail"])

    def _sort(self, claims: Sequence[Claim]) -> None:
        """Give each claim that needs a code to its pool, once, and refuse those that get none."""
        seen: set[object] = set()
        for claim in claims:
            pool = self._pool(claim)
            if claim.publication_id in self._known or claim.publication_id in seen or self._is_left(claim):
                continue
            if pool and pool.campaign.join_once:
                customer = (pool.key, claim.customer_id)
                if customer in self._joined or customer in seen:
                    continue
            detail = _unusable(pool.campaign if pool else None, claim.campaign_id, self._now)
            if pool is None or detail:
                self._refused[claim.publication_id] = Unusable(claim.campaign_id, detail)
                continue
            seen.add(claim.publication_id)
            if pool.campaign.join_once:
                seen.add((pool.key, claim.customer_id))
            pool.wanted.append(claim)

    async def _publish(self, pool: Pool) -> None:
        count = len(pool.wanted)
        pool.taken = await self._fetch("take_free", pool.key, pool.head, self._now, count)
        making = pool.making() if pool.campaign.type == "AUTO_UPDATE" else None
        if making and len(pool.taken) < count:
            await Maker(self._connection, self._now, self._choose).make(making, count - len(pool.taken))
            pool.taken += making.rows
        made, tried = (len(making.rows), making.tried) if making else (0, 0)
        newly_exhausted = bool(making and making.is_exhausted and not pool.was_exhausted)
        if pool.taken:
            await self._write(pool)
        if pool.taken or tried or newly_exhausted:
            await self._fetch("count_claimed", pool.key, len(pool.taken), made, tried, self._now, newly_exhausted)

    async def _write(self, pool: Pool) -> None:
        key, version, now, encode = pool.key, pool.campaign.version, self._now, msgspec.json.encode
        await self._connection.copy_records_to_table(
            "publications",
            columns=_COLUMNS,
            records=[
                (
                    claim.publication_id, key, version, row["position"], claim.customer_id,
                    encode(claim.customer).decode(), claim.distribution_id, claim.event_id, claim.channel, now,
                )
                for claim, row in zip(pool.wanted, pool.taken, strict=False)
            ],
        )  # fmt: skip
        if ends := [row["expiration_date"] for row in pool.taken if row["expiration_date"]]:
            await self._fetch("count_expirations", pool.key, ends)

    def _remember(self) -> list[str]:
        """Know what this call has published; its ids."""
        new = []
        for pool in self._pools.values():
            for claim, row in zip(pool.wanted, pool.taken, strict=False):
                publication = Publication(claim, _code(row), pool.version, self._now)
                self._known[claim.publication_id] = publication
                if pool.campaign.join_once:
                    self._joined[(pool.key, claim.customer_id)] = publication
                new.append(claim.publication_id)
        return new

    def _is_left(self, claim: Claim) -> bool:
        return isinstance(self._refused.get(claim.publication_id), Withdrawn)

    def _found(self, claim: Claim) -> Publication | Empty | Unusable | Withdrawn:
        known = self._known.get(claim.publication_id)
        if known is None and (pool := self._pool(claim)) is not None:
            known = self._joined.get((pool.key, claim.customer_id))
        return known or self._refused.get(claim.publication_id) or Empty(claim.campaign_id)

    def _pool(self, claim: Claim) -> Pool | None:
        return self._pools.get((claim.project_id, claim.campaign_id))

    async def _fetch(self, name: str, *arguments: object) -> list[asyncpg.Record]:
        rows: list[asyncpg.Record] = await self._connection.fetch(self._sql[name], *arguments)
        return rows


def _unusable(campaign: Campaign | None, campaign_id: str, now: datetime) -> str:
    """The reason why a campaign gives no codes; empty where it does."""
    if campaign is None:
        return f'no campaign "{campaign_id}"'
    if campaign.kind not in VOUCHER_TYPES:
        return f"{campaign_id} is a {campaign.kind}, which has no codes"
    if not campaign.active:
        return f"{campaign_id} is not active"
    if campaign.start_date and campaign.start_date > now:
        return f"{campaign_id} has not started"
    if campaign.expiration_date and campaign.expiration_date <= now:
        return f"{campaign_id} has expired"
    return ""


def _pool(row: asyncpg.Record) -> Pool:
    version = _version(row)
    is_exhausted = row["exhausted_version"] == version.campaign.version
    return Pool(row["key"], version, row["head"], row["next_position"], row["total"], is_exhausted)


def _version(row: asyncpg.Record) -> Version:
    campaign = msgspec.json.decode(row["definition"], type=Campaign)
    return Version(campaign, msgspec.json.decode(row["object"]))


def _publication(row: asyncpg.Record, versions: dict[tuple[int, int], Version]) -> Publication:
    """From what is kept; `versions` are those decoded before."""
    place = (row["campaign_key"], row["version"])
    if place not in versions:
        versions[place] = _version(row)
    campaign = versions[place].campaign
    claim = Claim(
        row["publication_id"],
        campaign.project_id,
        campaign.id,
        row["customer_id"],
        msgspec.json.decode(row["customer"]),
        row["distribution_id"],
        row["event_id"],
        row["channel"],
    )
    return Publication(claim, _code(row), versions[place], row["published_at"])


def _code(row: asyncpg.Record) -> Code:
    return Code(
        code=row["code"],
        created_at=row["created_at"],
        start_date=row["start_date"],
        expiration_date=row["expiration_date"],
        value=row["value"],
        metadata=msgspec.json.decode(row["metadata"]),
    )
