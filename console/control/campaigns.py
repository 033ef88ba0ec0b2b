"""Campaigns: check documents, plan, save all or nothing; list and find."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from console.control.context import ProjectContext
from console.control.documents import Document
from console.control.not_found import not_found
from console.control.plan import Planned, changes, check_documents, planned, span_lines
from schemas.campaign import VOUCHER_TYPES, Campaign
from store.campaigns import CampaignChange, Campaigns
from store.codes.pool import Codes, Count
from store.managed import LOCKED, Keep
from streams.documents.campaign import CampaignContext, parse_campaign


@dataclass(frozen=True, slots=True)
class CampaignSummary:
    """A campaign, and how many codes are left, None where it has no codes; `is_low` where it is time to add some."""

    campaign: Campaign
    left: int | None
    is_low: bool = False


def check(
    documents: Iterable[Document], current: Mapping[str, Campaign], project: ProjectContext, now: datetime
) -> list[tuple[Document, Campaign]]:
    """Every campaign, checked. Raises DefinitionInvalid with all problems, each with its line."""

    def read(document: Document) -> Campaign:
        before = current.get(document.identity("campaign"))
        return parse_campaign(document.plain, CampaignContext(project.project_id, now, before, project.zone))

    return check_documents(documents, "campaign", read, lambda campaign: campaign.id)


async def plan(
    pool: asyncpg.Pool, documents: Iterable[Document], project: ProjectContext, now: datetime
) -> list[Planned[CampaignChange]]:
    """The plan of applying some documents. Raises DefinitionInvalid, TryLater."""
    current = await Campaigns(pool).current(project.project_id)
    return [
        planned("campaign", current.get(one.id), one, CampaignChange(one, document.source), new=_new(one))
        for document, one in check(documents, current, project, now)
    ]


def _new(campaign: Campaign) -> str:
    kind = f"{campaign.kind} {campaign.type}" if has_codes(campaign) else campaign.kind
    return "; ".join((kind, *span_lines(campaign.start_date, campaign.expiration_date)))


async def save(
    pool: asyncpg.Pool,
    plan: Sequence[Planned[CampaignChange]],
    *,
    actor: str,
    now: datetime,
    keep: Keep = LOCKED,
) -> None:
    """Save what differs, in one transaction. Raises VersionConflict, ManagedFromGit, TryLater."""
    await Campaigns(pool).save(changes(plan), applied_by=actor, now=now, keep=keep)


async def listed(pool: asyncpg.Pool, project_id: str, now: datetime) -> list[CampaignSummary]:
    """Every campaign in its newest version. Raises TryLater."""
    current = await Campaigns(pool).current(project_id)
    counted = {count.campaign_id: count for count in await Codes(pool).counts(project_id, now)}
    return [_summary(one, counted.get(one.id)) for one in current.values()]


def _summary(one: Campaign, count: Count | None) -> CampaignSummary:
    if count is None or not has_codes(one):
        return CampaignSummary(one, None)
    return CampaignSummary(one, count.left, count.is_low)


async def find(pool: asyncpg.Pool, project_id: str, identity: str) -> Campaign:
    """The newest version of one campaign. Raises NotFound, TryLater."""
    current = await Campaigns(pool).current(project_id)
    if identity not in current:
        raise not_found("campaign", identity, current)
    return current[identity]


async def version(pool: asyncpg.Pool, project_id: str, identity: str) -> int:
    """The newest version of a campaign; 0 where it does not exist. Raises TryLater."""
    found = (await Campaigns(pool).current(project_id)).get(identity)
    return found.version if found else 0


def has_codes(campaign: Campaign) -> bool:
    """True for a campaign of a kind that gives codes."""
    return campaign.kind in VOUCHER_TYPES
