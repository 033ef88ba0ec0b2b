"""A folder applied: first what others name, each kind in one transaction with the marks of where it came from.

Where it breaks off half way, what was saved stays and is marked, and the same again does the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import asyncpg

from console.control import campaigns, distributions, segments, templates
from console.control.distributions import Announce
from console.control.from_git.plan import FolderPlan
from console.control.from_git.three_way import Compared
from schemas.errors import TidingsError
from schemas.managed import ManagedKind, ManagedThing, Mark
from store.distributions import Control
from store.managed import Managed, Marking


class WouldOverwrite(TidingsError):
    """Things of a folder that somebody has changed elsewhere since they were applied."""


class BrokeOff(TidingsError):
    """A folder of which a part is applied, and another is not."""


def must_not_overwrite(plan: FolderPlan) -> None:
    """Refuse to take back what was done elsewhere. Raises WouldOverwrite."""
    drift = [f"{one.kind} {one.identity}" for one in plan.drift]
    if drift:
        raise WouldOverwrite(
            f"{', '.join(drift)}: changed elsewhere since the last apply. tidings pull takes that into the folder, "
            "--force takes it back; nothing was applied"
        )


async def apply(
    pool: asyncpg.Pool,
    plan: FolderPlan,
    project_id: str,
    announce: Announce,
    *,
    actor: str,
    now: datetime,
    on_progress: Callable[[str], None] = lambda _: None,
) -> None:
    """Save what differs. Raises BrokeOff that says what was done, where it is not all.

    What nothing names any more ends last.
    """
    done: list[str] = []

    def saved(what: str) -> None:
        done.append(what)
        on_progress(what)

    try:
        await _save(pool, plan, project_id, announce, actor, now, saved)
        if plan.prunes:
            gone = [one for one in plan.compared if one.plan == "gone"]
            await _prune(pool, gone, project_id, announce, actor, now, saved)
    except TidingsError as error:
        if not done:
            raise
        raise BrokeOff(f"{error}. Applied: {', '.join(done)}; the same again does the rest") from error


async def _save(
    pool: asyncpg.Pool,
    plan: FolderPlan,
    project_id: str,
    announce: Announce,
    actor: str,
    now: datetime,
    saved: Callable[[str], None],
) -> None:
    def marking(kind: ManagedKind) -> Marking:
        return Marking([
            Mark(ManagedThing(project_id, kind, one.identity), plan.source, plan.hashes[kind, one.identity],
                 one.version, actor, now)
            for one in plan.planned[kind]
        ])  # fmt: skip

    planned = plan.planned
    await campaigns.save(pool, planned["campaign"], actor=actor, now=now, keep=marking("campaign"))
    saved("campaigns")
    await segments.save(pool, planned["segment"], actor=actor, keep=marking("segment"))
    saved("segments")
    await templates.save(pool, planned["template"], actor=actor, now=now, keep=marking("template"))
    saved("templates")
    rules = planned["distribution"]
    await distributions.save(pool, rules, announce, actor=actor, now=now, keep=marking("distribution"))
    saved("distributions")


async def _prune(
    pool: asyncpg.Pool,
    gone: Sequence[Compared],
    project_id: str,
    announce: Announce,
    actor: str,
    now: datetime,
    saved: Callable[[str], None],
) -> None:
    """Stop distributions, then delete what they named; campaigns stay, and are managed here from now on."""
    for one in sorted(gone, key=lambda one: one.kind != "distribution"):
        thing = ManagedThing(project_id, one.kind, one.identity)
        keep = Marking(released=[thing])
        match one.kind:
            case "distribution":
                before = await Control(pool).newest(project_id, one.identity)
                if before is not None and before.status != "STOPPED":
                    await distributions.save_status(pool, before, "STOPPED", announce, actor=actor, now=now, keep=keep)
                else:
                    await Managed(pool).put(keep, by=actor)
            case "segment":
                await segments.remove(pool, project_id, one.identity, actor=actor, keep=keep)
            case "template":
                await templates.delete(pool, project_id, one.identity, actor=actor, now=now, keep=keep)
            case "campaign":
                await Managed(pool).put(keep, by=actor)
        saved(f"the end of {one.kind} {one.identity}")
