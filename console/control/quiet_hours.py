"""The quiet hours of projects, and their country, given to the distributions that were applied before them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import asyncpg
import msgspec

from console.control.context import ProjectContext
from console.control.distributions import Announce
from deploy.settings.settings import Settings
from schemas.project import Project
from store.distributions import Change, Control
from store.managed import Following


async def roll_out(
    pool: asyncpg.Pool,
    projects: Iterable[Project],
    settings: Settings,
    announce: Announce,
    *,
    actor: str,
    now: datetime,
) -> int:
    """New versions of the distributions that have other hours or another country than their project; how many.

    All are announced, even where none is left to save: an earlier one may not be yet. Raises VersionConflict, TryLater.
    """
    control = Control(pool)
    behind: list[Change] = []
    for project in projects:
        context = ProjectContext.of(settings, project.id, project)
        own = {"quiet_hours": context.quiet_hours, "country": context.country}
        for rule in (await control.current(project.id)).values():
            if any(getattr(rule, name) != value for name, value in own.items()):
                after = msgspec.structs.replace(rule, **own, version=rule.version + 1, updated_at=now)
                behind.append(Change(after, "", ()))
    rules = [one.distribution for one in behind]
    keep = Following([(one.project_id, one.id, one.version) for one in rules])
    await control.save(behind, applied_by=actor, now=now, keep=keep)
    await announce(control)
    return len(behind)
