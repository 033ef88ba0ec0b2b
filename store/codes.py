"""Code pools: a code is claimed once, by the publication that asked first, and stays the same for it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from schemas.campaign import (
    VOUCHER_TYPES,
    Campaign,
    Code,
    CodeConfig,
    publication_object,
    voucher_id,
    voucher_object,
)
from schemas.errors import TidingsError
from schemas.patterns import Choose, pattern_regex
from store.making import Maker, Making
from store.postgres import passing_errors, transaction
from store.sql import queries


@dataclass(frozen=True, slots=True)
class Claim:
    """One customer asks for one code. `publication_id` is the same whenever the same delivery asks."""

    publication_id: str
    project_id: str
    campaign_id: str
    customer_id: str
    customer: dict[str, Any]
    distribution_id: str
    event_id: str
    channel: str


@dataclass(frozen=True, slots=True)
class Published:
    """The objects as they were first written; `event_id` is the event that caused the publication first.

    `is_new` holds for one answer of one call: the claim that this publication was written for.
    """

    publication: dict[str, Any]
    voucher: dict[str, Any]
    campaign: dict[str, Any]
    event_id: str
    is_new: bool


@dataclass(frozen=True, slots=True)
class Empty:
    """No code was left; nothing was written."""

    campaign_id: str


@dataclass(frozen=True, slots=True)
class Unusable:
    """The campaign gives no codes: unknown, switched off, out of its dates, or of a kind without codes."""

    campaign_id: str
    detail: str


Answer = Published | Empty | Unusable


@dataclass(frozen=True, slots=True)
class Count:
    """How full a pool is. `capacity` is how many codes the pattern can give; None for a fixed pool.

    `is_exhausted` says that the pattern is known to give no more.
    """

    campaign_id: str
    total: int
    published: int
    inactive: int
    expired: int
    low_water: int
    capacity: int | None
    is_exhausted: bool = False

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
        """Whether it is time to add codes."""
        return self.left <= self.low_water


@dataclass(slots=True)
class _Pool:
    """A locked campaign and what this call does with it."""

    key: int
    campaign: Campaign
    sent: dict[str, Any]
    head: int
    next_position: int
    total: int
    was_exhausted: bool
    wanted: list[Claim] = field(default_factory=list)


class Codes:
    """Raises TryLater while Postgres is away."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._sql = queries("codes")

    async def claim(
        self, claims: Sequence[Claim], now: datetime, *, choose: Choose = secrets.choice
    ) -> list[Published | Empty | Unusable]:
        """One answer a claim, in order, in one transaction. `choose` makes the codes of AUTO_UPDATE campaigns."""
        if not claims:
            return []

        async def answer(connection: asyncpg.Connection) -> list[Answer]:
            return await _Call(connection, self._sql, now, choose).answer(claims)

        return await transaction(self._pool, answer)

    async def add(self, project_id: str, campaign_id: str, codes: Sequence[str], now: datetime) -> int:
        """Add codes to a pool in their order; how many were new to the project. Raises TidingsError, TryLater."""
        distinct = list(dict.fromkeys(codes))

        async def add(connection: asyncpg.Connection) -> int:
            row = await connection.fetchrow(self._sql["lock_campaign"], project_id, campaign_id)
            if row is None:
                raise TidingsError(f"there is no campaign {campaign_id}")
            place = row["next_position"]
            added = await connection.fetch(self._sql["add_made"], row["key"], place, project_id, distinct, now)
            if added:
                await connection.execute(self._sql["count_added"], row["key"], len(added), len(distinct), now)
            return len(added)

        return await transaction(self._pool, add)

    async def generate(
        self, project_id: str, campaign_id: str, count: int, now: datetime, *, choose: Choose = secrets.choice
    ) -> int:
        """Make codes of the campaign's pattern ahead of time; how many could be made. Raises TidingsError, TryLater."""

        async def generate(connection: asyncpg.Connection) -> int:
            rows = await connection.fetch(self._sql["lock_campaigns"], [project_id], [campaign_id])
            config = _pool(rows[0]).campaign.code_config if rows else None
            if config is None:
                raise TidingsError(
                    f"{campaign_id} has no code_config" if rows else f"there is no campaign {campaign_id}"
                )
            pool = _pool(rows[0])
            making = Making(pool.key, project_id, config, pool.next_position, pool.total, pool.was_exhausted)
            await Maker(connection, now, choose).make(making, count)
            if making.rows:
                await connection.execute(self._sql["count_added"], pool.key, len(making.rows), making.tried, now)
            return len(making.rows)

        return await transaction(self._pool, generate)

    async def used(self, project_id: str, config: CodeConfig) -> int:
        """How many codes of a pattern the project has, in whichever campaign."""
        async with passing_errors():
            return int(await self._pool.fetchval(self._sql["count_pattern"], project_id, pattern_regex(config)))

    async def counts(self, project_id: str, now: datetime, campaign_ids: Sequence[str] | None = None) -> list[Count]:
        """How full pools are, all of a project's or the named ones, by id."""
        ids = None if campaign_ids is None else list(campaign_ids)
        async with passing_errors():
            rows = await self._pool.fetch(self._sql["counts"], project_id, ids, now)
        return [_count(row) for row in rows]

    async def refilled_since(self, project_id: str, campaign_ids: Sequence[str], since: datetime) -> list[str]:
        """Which of some campaigns have been given codes after a moment."""
        async with passing_errors():
            rows = await self._pool.fetch(self._sql["refilled_since"], project_id, list(campaign_ids), since)
        return [row["id"] for row in rows]


class _Call:
    """One claim of a batch, inside its transaction."""

    def __init__(self, connection: asyncpg.Connection, sql: dict[str, str], now: datetime, choose: Choose) -> None:
        self._connection = connection
        self._sql = sql
        self._now = now
        self._choose = choose
        self._known: dict[str, Published] = {}
        self._joined: dict[tuple[int, str], Published] = {}

    async def answer(self, claims: Sequence[Claim]) -> list[Answer]:
        pools = await self._lock(claims)
        await self._recall(claims, pools)
        refused = self._sort(claims, pools)
        for pool in pools.values():
            if pool.wanted:
                await self._publish(pool)
        return self._once_new([self._answer_of(claim, pools, refused) for claim in claims])

    @staticmethod
    def _once_new(answers: list[Answer]) -> list[Answer]:
        """A publication that answers several claims of the call is new for the first of them alone."""
        told: set[str] = set()
        for number, answer in enumerate(answers):
            if isinstance(answer, Published) and answer.is_new:
                identity = answer.publication["id"]
                answers[number] = replace(answer, is_new=identity not in told)
                told.add(identity)
        return answers

    async def _lock(self, claims: Sequence[Claim]) -> dict[tuple[str, str], _Pool]:
        asked = sorted({(claim.project_id, claim.campaign_id) for claim in claims})
        rows = await self._fetch("lock_campaigns", [project for project, _ in asked], [one for _, one in asked])
        # Read again: the first read's join may be older than the lock that it waited for.
        rows = await self._fetch("lock_campaigns", [project for project, _ in asked], [one for _, one in asked])
        return {(row["project_id"], row["id"]): _pool(row) for row in rows}

    async def _recall(self, claims: Sequence[Claim], pools: dict[tuple[str, str], _Pool]) -> None:
        """What was published before: under the same ids, or to the same customers of campaigns joined once."""
        for row in await self._fetch("publications_by_id", [claim.publication_id for claim in claims]):
            self._known[row["publication_id"]] = _published(row)
        asked = {
            (pool.key, claim.customer_id)
            for claim in claims
            if (pool := pools.get((claim.project_id, claim.campaign_id))) and pool.campaign.join_once
        }
        if asked:
            keys, customers = zip(*sorted(asked), strict=True)
            for row in await self._fetch("first_publications", list(keys), list(customers)):
                self._joined[(row["campaign_key"], row["customer_id"])] = _published(row)

    def _sort(self, claims: Sequence[Claim], pools: dict[tuple[str, str], _Pool]) -> dict[str, Unusable]:
        """Give each claim that needs a code to its pool, once; the others that get none are returned by id."""
        refused: dict[str, Unusable] = {}
        seen: set[object] = set()
        for claim in claims:
            pool = pools.get((claim.project_id, claim.campaign_id))
            if claim.publication_id in self._known or claim.publication_id in seen:
                continue
            if pool and pool.campaign.join_once:
                customer = (pool.key, claim.customer_id)
                if customer in self._joined or customer in seen:
                    continue
            detail = _unusable(pool.campaign if pool else None, claim.campaign_id, self._now)
            if pool is None or detail:
                refused[claim.publication_id] = Unusable(claim.campaign_id, detail)
                continue
            seen.add(claim.publication_id)
            if pool.campaign.join_once:
                seen.add((pool.key, claim.customer_id))
            pool.wanted.append(claim)
        return refused

    async def _publish(self, pool: _Pool) -> None:
        count = len(pool.wanted)
        rows = await self._fetch("take_free", pool.key, pool.head, self._now, count)
        making = _making(pool)
        if making and len(rows) < count:
            await Maker(self._connection, self._now, self._choose).make(making, count - len(rows))
            rows += making.rows
        made, tried = (len(making.rows), making.tried) if making else (0, 0)
        newly_exhausted = bool(making and making.is_exhausted and not pool.was_exhausted)
        taken = list(zip(pool.wanted, rows, strict=False))
        if not taken and not tried and not newly_exhausted:
            return
        entries = [self._entry(pool, claim, row) for claim, row in taken]
        ids = [claim.publication_id for claim, _ in taken]
        positions = [row["position"] for _, row in taken]
        if taken:
            await self._fetch(
                "add_publications",
                ids, [pool.key] * len(taken), [pool.campaign.version] * len(taken), positions,
                [claim.customer_id for claim, _ in taken],
                [claim.distribution_id for claim, _ in taken],
                [claim.event_id for claim, _ in taken],
                [_text(entry.publication) for entry in entries],
                [_text(entry.voucher) for entry in entries],
                self._now,
            )  # fmt: skip
        if ends := [row["expiration_date"] for _, row in taken if row["expiration_date"]]:
            await self._fetch("count_expirations", pool.key, ends)
        await self._fetch("count_claimed", pool.key, len(taken), made, tried, self._now, newly_exhausted)

    def _entry(self, pool: _Pool, claim: Claim, row: asyncpg.Record) -> Published:
        """Build the objects of a new publication, and remember them for the answers."""
        campaign = pool.campaign
        code = _code(row)
        publication = publication_object(
            publication_id=claim.publication_id,
            customer=claim.customer,
            customer_id=claim.customer_id,
            distribution_id=claim.distribution_id,
            channel=claim.channel,
            voucher_id=voucher_id(campaign.project_id, code.code),
            now=self._now,
        )
        voucher = voucher_object(campaign, code, claim.customer_id, self._now)
        entry = Published(publication, voucher, pool.sent, claim.event_id, True)
        self._known[claim.publication_id] = entry
        if campaign.join_once:
            self._joined[(pool.key, claim.customer_id)] = entry
        return entry

    def _answer_of(self, claim: Claim, pools: dict[tuple[str, str], _Pool], refused: dict[str, Unusable]) -> Answer:
        known = self._known.get(claim.publication_id)
        pool = pools.get((claim.project_id, claim.campaign_id))
        if known is None and pool is not None:
            known = self._joined.get((pool.key, claim.customer_id))
        return known or refused.get(claim.publication_id) or Empty(claim.campaign_id)

    async def _fetch(self, name: str, *arguments: object) -> list[asyncpg.Record]:
        rows: list[asyncpg.Record] = await self._connection.fetch(self._sql[name], *arguments)
        return rows


def _unusable(campaign: Campaign | None, campaign_id: str, now: datetime) -> str:
    """Why a campaign gives no codes; empty where it does."""
    if campaign is None:
        return f"there is no campaign {campaign_id}"
    if campaign.kind not in VOUCHER_TYPES:
        return f"{campaign_id} is a {campaign.kind}, which has no codes"
    if not campaign.active:
        return f"{campaign_id} is not active"
    if campaign.start_date and campaign.start_date > now:
        return f"{campaign_id} has not started"
    if campaign.expiration_date and campaign.expiration_date <= now:
        return f"{campaign_id} has expired"
    return ""


def _pool(row: asyncpg.Record) -> _Pool:
    campaign = msgspec.json.decode(row["definition"], type=Campaign)
    return _Pool(
        row["key"],
        campaign,
        msgspec.json.decode(row["object"]),
        row["head"],
        row["next_position"],
        row["total"],
        row["exhausted_version"] == campaign.version,
    )


def _making(pool: _Pool) -> Making | None:
    """How a pool that makes its codes goes on; None for a fixed one."""
    campaign = pool.campaign
    if campaign.type != "AUTO_UPDATE" or campaign.code_config is None:
        return None
    return Making(
        pool.key, campaign.project_id, campaign.code_config, pool.next_position, pool.total, pool.was_exhausted
    )


def _code(row: asyncpg.Record) -> Code:
    return Code(
        code=row["code"],
        created_at=row["created_at"],
        start_date=row["start_date"],
        expiration_date=row["expiration_date"],
        value=row["value"],
        metadata=msgspec.json.decode(row["metadata"]),
    )


def _published(row: asyncpg.Record) -> Published:
    decode = msgspec.json.decode
    return Published(decode(row["publication"]), decode(row["voucher"]), decode(row["object"]), row["event_id"], False)


def _count(row: asyncpg.Record) -> Count:
    campaign = msgspec.json.decode(row["definition"], type=Campaign)
    config = campaign.code_config
    return Count(
        campaign_id=row["id"],
        total=row["total"],
        published=row["published"],
        inactive=row["inactive"],
        expired=row["expired"],
        low_water=campaign.low_water,
        capacity=config.capacity if config and campaign.type == "AUTO_UPDATE" else None,
        is_exhausted=row["is_exhausted"],
    )


def _text(value: dict[str, Any]) -> str:
    return msgspec.json.encode(value).decode()
