"""Codes of campaigns: count them, make them ahead of time, import them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

import asyncpg

from console.control.campaigns import find, has_codes
from console.control.files.code_check import Checked, FileCheck, folded
from console.control.files.code_file import CodeSource
from schemas.campaign import Campaign
from schemas.errors import TidingsError
from store.codes.imports import CodeImport, Double
from store.codes.names import AlikeCodes, alike_codes
from store.codes.pool import Codes, Count

NAMED = 10
"""Codes that were there already and are named, at most."""
CHUNK_SIZE = 5000
"""Codes that are made in one transaction; claims of the campaign wait for so long."""

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Imported:
    """The outcome of importing a file of codes. `doubles` names the first that were there already."""

    checked: Checked
    alike: AlikeCodes
    added: int
    in_file: int
    in_project: int
    doubles: tuple[Double, ...]


async def count(pool: asyncpg.Pool, project_id: str, campaign: str, now: datetime) -> list[Count]:
    """The fill of a campaign's pool; empty where it never had codes. Raises NotFound, TryLater."""
    await find(pool, project_id, campaign)
    return await Codes(pool).counts(project_id, now, [campaign])


async def generate(
    pool: asyncpg.Pool,
    project_id: str,
    campaign: str,
    wanted: int,
    *,
    actor: str,
    now: datetime,
    dry_run: bool = False,
    on_progress: Callable[[int], None] = lambda _: None,
) -> int:
    """Make codes ahead of time, in chunks of a transaction each; how many were made, or would be in a dry run.

    `on_progress` gets each chunk's. Raises TidingsError before anything is changed where the pattern has no room.
    """
    one = await with_codes(pool, project_id, campaign)
    config = one.code_config
    if config is None:
        raise TidingsError(f"{campaign} has no code_config; add one, as {{pattern: SPRING-######}}, or import codes")
    used = await Codes(pool).used(project_id, config)
    if used + wanted > config.capacity:
        raise TidingsError(
            f"{wanted:,} more codes do not fit: the pattern of {campaign} can give {config.capacity:,}, and {used:,} "
            f"of them are used, which leaves {config.capacity - used:,}. Nothing was made; lengthen the pattern"
        )
    if dry_run:
        return wanted
    made = 0
    while made < wanted:
        chunk = await Codes(pool).generate(project_id, campaign, min(CHUNK_SIZE, wanted - made), now, by=actor)
        if not chunk:
            raise TidingsError(f"{made:,} of {wanted:,} codes were made: others took the last of the pattern meanwhile")
        made += chunk
        on_progress(chunk)
    return made


async def import_codes(
    pool: asyncpg.Pool,
    project_id: str,
    campaign: str,
    file: CodeSource,
    *,
    batch: int,
    actor: str,
    now: datetime,
    dry_run: bool = False,
    on_progress: Callable[[str, int], None] = lambda *_: None,
) -> Imported:
    """Add a file's codes to a campaign, a transaction a batch; what is there already is left out and counted.

    The whole file is checked before anything is changed. Raises DefinitionInvalid, TidingsError, TryLater; whatever
    ends it in the middle, the same file again adds what is missing. `on_progress` gets the step and the bytes read.
    """
    await with_codes(pool, project_id, campaign)
    check = FileCheck(file, now, lambda at: on_progress("checking", at))
    alike = await alike_codes(pool, project_id, check.names(), folded, name=NAMED)
    checked = check.result()
    importing, codes = CodeImport(pool, project_id, campaign, by=actor, dry_run=dry_run), file.codes()
    added = in_file = in_project = 0
    doubles: list[Double] = []
    while chunk := list(islice(codes, batch)):
        merged = await importing.merge(chunk, now, name=NAMED - len(doubles))
        added += merged.added
        in_file += merged.in_file
        in_project += merged.in_project
        doubles += merged.doubles
        on_progress("adding", file.offset)
    return Imported(checked, alike, added, in_file, in_project, tuple(doubles))


async def with_codes(pool: asyncpg.Pool, project_id: str, campaign: str) -> Campaign:
    """A campaign that has codes. Raises NotFound, TidingsError, TryLater."""
    one = await find(pool, project_id, campaign)
    if not has_codes(one):
        raise TidingsError(f"{campaign} is a {one.kind}, which has no codes")
    return one
