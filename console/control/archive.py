"""The end of a distribution: archived with its past, brought back, or deleted where it never did anything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import asyncpg

from console.control import distributions
from console.control.distributions import Announce
from console.control.ending import OVER, NotFromHere, must_be_over
from console.control.not_found import NotFound
from schemas.closed import DistributionStatus
from schemas.distribution import Distribution
from store.distribution_ends import DistributionEnds
from store.distributions import Control
from store.managed import LOCKED, Keep
from store.retention import DELETED_KEPT


@dataclass(frozen=True, slots=True)
class Restorable:
    """One that can be brought back, and the status that it has then; `was_deleted` comes back as it was."""

    distribution: Distribution
    status: DistributionStatus
    was_deleted: bool


async def archive(
    pool: asyncpg.Pool,
    before: Distribution,
    announce: Announce,
    *,
    actor: str,
    now: datetime,
    dry_run: bool = False,
    keep: Keep = LOCKED,
) -> Distribution:
    """Take one that is over out of the lists, from the version that was looked at; the same again changes nothing.

    Raises NotFromHere, VersionConflict, ManagedFromGit, TryLater.
    """
    await must_be_over(pool, before)
    if before.status == "ARCHIVED" or dry_run:
        return before
    return await distributions.save_status(pool, before, "ARCHIVED", announce, actor=actor, now=now, keep=keep)


async def restorable(pool: asyncpg.Pool, project_id: str, identity: str) -> Restorable:
    """Find what can be brought back under an id. Raises NotFound, NotFromHere where it is not archived, TryLater."""
    ends = DistributionEnds(pool)
    try:
        found = await distributions.find(pool, project_id, identity)
    except NotFound:
        gone = await ends.deleted(project_id, identity)
        if gone is None:
            raise
        return Restorable(gone[0], _known(gone[0]), True)
    if found.status != "ARCHIVED":
        raise NotFromHere(f"{identity} is {found.status}: only what is archived, or was deleted, can be brought back")
    earlier = await ends.before_archive(project_id, identity)
    return Restorable(found, "DRAFT" if earlier is None else _known(earlier), False)


async def restore(
    pool: asyncpg.Pool,
    found: Restorable,
    announce: Announce,
    *,
    actor: str,
    now: datetime,
    keep: Keep = LOCKED,
) -> Distribution:
    """Bring back what is archived, in the status before that, or what was deleted. It sends nothing by that.

    Raises VersionConflict, ManagedFromGit, TryLater.
    """
    before = found.distribution
    if not found.was_deleted:
        return await distributions.save_status(pool, before, found.status, announce, actor=actor, now=now, keep=keep)
    after = await DistributionEnds(pool).put_back(before.project_id, before.id, by=actor, now=now)
    await announce(Control(pool))
    return before if after is None else after  # None: somebody has brought it back at the same time


async def delete(
    pool: asyncpg.Pool,
    before: Distribution,
    announce: Announce,
    *,
    actor: str,
    now: datetime,
    dry_run: bool = False,
    keep: Keep = LOCKED,
) -> datetime:
    """Delete one that never was live, with all its versions; until when it can be brought back.

    Raises NotFromHere where it has a past, VersionConflict, ManagedFromGit, TryLater.
    """
    ends = DistributionEnds(pool)
    if before.status in ("LIVE", "PAUSED"):
        raise NotFromHere(f"{before.id} is {before.status}: stop it first; then it can be archived, and not deleted")
    if await ends.has_done(before.project_id, before.id):
        said = f"archive it instead: tidings distributions archive {before.id}"
        raise NotFromHere(f"{before.id} was live, or something is known of what it did, so it is not deleted; {said}")
    if not dry_run:
        await ends.delete(before, by=actor, now=now, keep=keep)
        await announce(Control(pool))
    return now + DELETED_KEPT


async def may_be_deleted(pool: asyncpg.Pool, rule: Distribution) -> bool:
    """True of one that never was live, and of which nothing is known. Raises TryLater."""
    return rule.status in ("DRAFT", "STOPPED", "ARCHIVED") and not await DistributionEnds(pool).has_done(
        rule.project_id, rule.id
    )


def _known(rule: Distribution) -> DistributionStatus:
    """The status of one; a draft where a later release wrote another."""
    return next((one for one in OVER if one == rule.status), "DRAFT")
