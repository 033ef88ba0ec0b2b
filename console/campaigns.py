"""From files to campaigns: check everything, show the plan, save all or nothing; and codes made ahead of time."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import asyncpg
import msgspec

from agents.wiring import utc_now
from console.code_file import CodeFile
from console.documents import Document, read_documents
from schemas.campaign import VOUCHER_TYPES, Campaign
from schemas.errors import DefinitionInvalid, Problem, TidingsError
from store.campaigns import CampaignChange, Campaigns
from store.code_import import CodeImport, Double
from store.codes import Codes
from streams.campaign_definition import CampaignSurroundings, parse_campaign
from streams.conditions.fields import nearest

NAMED = 10
"""Of the codes that were there already, how many are named."""
HAND = 5000
"""Codes that are made in one transaction; claims of the campaign wait for so long."""
_UNCOMPARED = ("version", "created_at", "updated_at")
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class PlannedCampaign:
    """A change and how it reads: `what` is new, changed or unchanged."""

    what: str
    change: CampaignChange
    lines: tuple[str, ...]


def check_campaigns(
    paths: list[Path], project_id: str, current: dict[str, Campaign]
) -> list[tuple[Document, Campaign]]:
    """Every campaign of some files, checked. Raises DefinitionInvalid with all problems, each with its line."""
    problems: list[Problem] = []
    checked: list[tuple[Document, Campaign]] = []
    for document in read_documents(paths):
        identity = document.plain.get("campaign") if isinstance(document.plain, dict) else None
        before = current.get(identity) if isinstance(identity, str) else None
        try:
            around = CampaignSurroundings(project_id, utc_now(), before)
            checked.append((document, parse_campaign(document.plain, around)))
        except DefinitionInvalid as error:
            problems += [_at(document, problem.path, problem.message) for problem in error.problems]
    problems += _doubled(checked)
    if problems:
        raise DefinitionInvalid(tuple(problems))
    return checked


def _at(document: Document, path: str, message: str) -> Problem:
    return Problem(f"{document.file}:{document.line(path)}  {path}", message)


def _doubled(checked: Iterable[tuple[Document, Campaign]]) -> list[Problem]:
    seen: dict[str, Document] = {}
    problems = []
    for document, campaign in checked:
        if campaign.id in seen:
            said = f"campaign {campaign.id} stands in {seen[campaign.id].file} already"
            problems.append(_at(document, "campaign", said))
        seen.setdefault(campaign.id, document)
    return problems


async def plan(paths: list[Path], project_id: str, pool: asyncpg.Pool) -> list[PlannedCampaign]:
    """What applying some files would do."""
    current = await Campaigns(pool).current(project_id)
    checked = check_campaigns(paths, project_id, current)
    return [_planned(current.get(campaign.id), document, campaign) for document, campaign in checked]


def _planned(before: Campaign | None, document: Document, after: Campaign) -> PlannedCampaign:
    change = CampaignChange(after, document.source)
    if before is None:
        return PlannedCampaign(
            "new", change, (f"{after.kind} {after.type if after.kind in VOUCHER_TYPES else ''}".strip(),)
        )
    names = [name for name in after.__struct_fields__ if name not in _UNCOMPARED]
    lines = tuple(
        f"{name}: {_short(getattr(before, name))} → {_short(getattr(after, name))}"
        for name in names
        if getattr(before, name) != getattr(after, name)
    )
    return PlannedCampaign("changed" if lines else "unchanged", change, lines)


def _short(value: object) -> str:
    shown = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"


async def save(planned: Sequence[PlannedCampaign], pool: asyncpg.Pool) -> None:
    """Save what differs, in one transaction. Raises VersionConflict, TryLater."""
    changes = [one.change for one in planned if one.what != "unchanged"]
    await Campaigns(pool).save(changes, applied_by=getpass.getuser(), now=utc_now())


async def campaign(pool: asyncpg.Pool, project_id: str, identity: str) -> Campaign:
    """The newest version of one campaign. Raises TidingsError with the nearest name."""
    current = await Campaigns(pool).current(project_id)
    if identity in current:
        return current[identity]
    meant = nearest(identity, current)
    hint = f" Did you mean {meant}?" if meant else ""
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

    rows: int
    added: int = 0
    in_file: int = 0
    in_project: int = 0
    doubles: list[Double] = field(default_factory=list)


async def import_codes(
    pool: asyncpg.Pool, project_id: str, identity: str, file: Path, batch: int, told: Callable[[str, int], None]
) -> Imported:
    """Add a file's codes to a campaign, a transaction a batch; what is there already is left out and counted.

    The whole file is checked before anything is changed. Raises DefinitionInvalid, TidingsError, TryLater; whatever
    ends it in the middle, the same file again adds what is missing. `told` gets what is done and the bytes read.
    """
    one = await campaign(pool, project_id, identity)
    if one.kind not in VOUCHER_TYPES:
        raise TidingsError(f"{identity} is a {one.kind}, which has no codes")
    read = CodeFile(file)
    imported = Imported(read.check(lambda at: told("checking", at)))
    merging, codes = CodeImport(pool, project_id, identity), read.codes()
    while hand := list(islice(codes, batch)):
        merged = await merging.merge(hand, utc_now(), name=NAMED - len(imported.doubles))
        imported.added += merged.added
        imported.in_file += merged.in_file
        imported.in_project += merged.in_project
        imported.doubles += merged.doubles
        told("adding", read.offset)
    return imported
