"""From files to campaigns: check everything, show the plan, save all or nothing; and codes made ahead of time."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from itertools import islice
from pathlib import Path

import asyncpg

from agents.clock import utc_now
from console.control.files.code_check import Checked, FileCheck, folded
from console.control.files.code_file import CodeFile
from console.control.files.code_row import RowReader
from console.control.files.documents import Document
from console.control.plan import Planned, changes, check_documents, planned, span_lines
from schemas.campaign import VOUCHER_TYPES, Campaign
from schemas.errors import TidingsError
from schemas.names import did_you_mean
from store.campaigns import CampaignChange, Campaigns
from store.codes.imports import CodeImport, Double
from store.codes.names import AlikeCodes, alike_codes
from store.codes.pool import Codes
from streams.documents.campaign import CampaignContext, parse_campaign

NAMED = 10
"""Of the codes that were there already, how many are named."""
HAND = 5000
"""Codes that are made in one transaction; claims of the campaign wait for so long."""


def check_campaigns(
    paths: list[Path], project_id: str, current: Mapping[str, Campaign], zone: tzinfo
) -> list[tuple[Document, Campaign]]:
    """Every campaign of some files, checked. Raises DefinitionInvalid with all problems, each with its line."""

    def read(document: Document) -> Campaign:
        before = current.get(document.identity("campaign"))
        return parse_campaign(document.plain, CampaignContext(project_id, utc_now(), before, zone))

    return check_documents(paths, "campaign", read, lambda campaign: campaign.id)


async def plan(paths: list[Path], project_id: str, pool: asyncpg.Pool, zone: tzinfo) -> list[Planned[CampaignChange]]:
    """What applying some files would do."""
    current = await Campaigns(pool).current(project_id)
    return [
        planned("campaign", current.get(one.id), one, CampaignChange(one, document.source), new=_new(one))
        for document, one in check_campaigns(paths, project_id, current, zone)
    ]


def _new(campaign: Campaign) -> str:
    kind = f"{campaign.kind} {campaign.type}" if campaign.kind in VOUCHER_TYPES else campaign.kind
    return "; ".join((kind, *span_lines(campaign.start_date, campaign.expiration_date)))


async def save(plan: Sequence[Planned[CampaignChange]], pool: asyncpg.Pool) -> None:
    """Save what differs, in one transaction. Raises VersionConflict, TryLater."""
    await Campaigns(pool).save(changes(plan), applied_by=getpass.getuser(), now=utc_now())


async def campaign(pool: asyncpg.Pool, project_id: str, identity: str) -> Campaign:
    """The newest version of one campaign. Raises TidingsError with the nearest name."""
    current = await Campaigns(pool).current(project_id)
    if identity in current:
        return current[identity]
    hint = did_you_mean(identity, current)
    there = ", ".join(sorted(current)[:10]) or "none"
    raise TidingsError(f"there is no campaign {identity}.{hint} There are: {there}{', …' if len(current) > 10 else ''}")


async def generate(pool: asyncpg.Pool, project_id: str, identity: str, count: int, told: Callable[[int], None]) -> int:
    """Make codes ahead of time, in hands of HAND, each told when it is there; how many were made.

    Raises TidingsError before anything is changed where the pattern has no room for so many.
    """
    one = await campaign(pool, project_id, identity)
    config = one.code_config
    if one.kind not in VOUCHER_TYPES:
        raise TidingsError(f"{identity} is a {one.kind}, which has no codes")
    if config is None:
        raise TidingsError(f"{identity} has no code_config; add one, as {{pattern: SPRING-######}}, or import codes")
    used = await Codes(pool).used(project_id, config)
    if used + count > config.capacity:
        raise TidingsError(
            f"{count:,} more codes do not fit: the pattern of {identity} can give {config.capacity:,}, and {used:,} of "
            f"them are used, which leaves {config.capacity - used:,}. Nothing was made; lengthen the pattern"
        )
    made = 0
    while made < count:
        hand = await Codes(pool).generate(project_id, identity, min(HAND, count - made), utc_now())
        if not hand:
            raise TidingsError(f"{made:,} of {count:,} codes were made: others took the last of the pattern meanwhile")
        made += hand
        told(hand)
    return made


@dataclass(slots=True)
class Imported:
    """What became of a file of codes. `doubles` names the first that were there already."""

    checked: Checked
    alike: AlikeCodes
    added: int = 0
    in_file: int = 0
    in_project: int = 0
    doubles: list[Double] = field(default_factory=list)


async def import_codes(
    pool: asyncpg.Pool,
    project_id: str,
    identity: str,
    file: Path,
    batch: int,
    told: Callable[[str, int], None],
    *,
    zone: tzinfo = UTC,
    as_written: bool = False,
) -> Imported:
    """Add a file's codes to a campaign, a transaction a batch; what is there already is left out and counted.

    The whole file is checked before anything is changed. Raises DefinitionInvalid, TidingsError, TryLater; whatever
    ends it in the middle, the same file again adds what is missing. `told` gets what is done and the bytes read.
    """
    one = await campaign(pool, project_id, identity)
    if one.kind not in VOUCHER_TYPES:
        raise TidingsError(f"{identity} is a {one.kind}, which has no codes")
    read = CodeFile(file, RowReader(zone, as_written=as_written))
    check = FileCheck(read, utc_now(), lambda at: told("checking", at), as_written=as_written)
    alike = await alike_codes(pool, project_id, check.names(), folded, name=NAMED)
    imported = Imported(check.result(), alike)
    merging, codes = CodeImport(pool, project_id, identity), read.codes()
    while hand := list(islice(codes, batch)):
        merged = await merging.merge(hand, utc_now(), name=NAMED - len(imported.doubles))
        imported.added += merged.added
        imported.in_file += merged.in_file
        imported.in_project += merged.in_project
        imported.doubles += merged.doubles
        told("adding", read.offset)
    return imported
