"""The lock on what is managed from Git, as a plan meets it, and its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg

from console.control.not_found import not_found
from console.control.plan import Planned
from schemas.managed import MANAGED_KINDS, ManagedThing
from store.managed import Locked, Managed


async def met_by(pool: asyncpg.Pool, lock: Locked, project_id: str, plan: Sequence[Planned[Any]]) -> list[str]:
    """A sentence about each change of a plan that is managed from Git, and is changed here all the same.

    Raises ManagedFromGit where saving the plan would, TryLater.
    """
    things = [
        ManagedThing(project_id, kind, one.identity)
        for one in plan
        for kind in MANAGED_KINDS
        if one.what != "unchanged" and one.kind == kind
    ]
    managed = Managed(pool)
    await managed.check(lock, *things)
    return [
        f"{thing.kind} {thing.identity} is managed from Git ({source}), and its next plan shows this as drift"
        for thing, source in (await managed.sources(things)).items()
    ]


async def release(pool: asyncpg.Pool, thing: ManagedThing, *, actor: str, dry_run: bool = False) -> None:
    """Manage a thing here from now on. Raises NotFound where it is managed here already, TryLater."""
    managed = Managed(pool)
    if not await managed.release(thing, by=actor, dry_run=dry_run):
        marks = await managed.of_project(thing.project_id)
        names = [one.thing.identity for one in marks if one.thing.kind == thing.kind]
        raise not_found(f"{thing.kind} that is managed from Git:", thing.identity, names)
