"""A folder applied: first what others name, each kind in one transaction with the marks of where it came from.

Where it breaks off half way, what was saved stays and is marked, and the same again does the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

import asyncpg

from console.control import campaigns, distributions, segments, templates
from console.control.distributions import Announce
from console.control.from_git.plan import FolderPlan
from schemas.errors import TidingsError
from schemas.managed import ManagedKind, ManagedThing, Mark
from store.distributions import Control
from store.managed import Managed, Marking


class WouldOverwrite(TidingsError):
    """A folder that takes back what somebody has done elsewhere since it was applied, or ends everything."""


class AnotherPlan(TidingsError):
    """A folder whose plan is another than the one that somebody looked at."""


class BrokeOff(TidingsError):
    """A folder of which a part is applied, and another is not."""


def must_be_as_planned(plan: FolderPlan, digest: str | None) -> None:
    """Refuse another plan than the one of this digest; None: any will do. Raises AnotherPlan."""
    if digest is not None and digest != plan.digest:
        raise AnotherPlan("the plan is another than the one that was looked at: look at it again; nothing was applied")


def must_not_overwrite(plan: FolderPlan) -> None:
    """Refuse to take back what was done elsewhere, and to end everything by a folder without anything.

    Raises WouldOverwrite.
    """
    gone = [one for one in plan.compared if one.plan == "gone"]
    if plan.prunes and gone and not any(plan.planned.values()):
        raise WouldOverwrite(
            f"there is nothing in the folder, and --prune would end all {len(gone)} that came from {plan.source.name}: "
            "see whether it is the right one, --force ends them; nothing was applied"
        )
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
    applying = _Applying(pool, plan, project_id, announce, actor, now, on_progress)
    try:
        await applying.save()
        if plan.prunes:
            await applying.prune()
    except TidingsError as error:
        if not applying.done:
            raise
        raise BrokeOff(f"{error}. Applied: {', '.join(applying.done)}; the same again does the rest") from error


@dataclass(slots=True)
class _Applying:
    """A folder that is being applied; `done` is what is saved so far, in words."""

    pool: asyncpg.Pool
    plan: FolderPlan
    project_id: str
    announce: Announce
    actor: str
    now: datetime
    on_progress: Callable[[str], None]
    done: list[str] = field(default_factory=list)

    async def save(self) -> None:
        """Save each kind after those that it names."""
        pool, planned, actor, now = self.pool, self.plan.planned, self.actor, self.now
        await campaigns.save(pool, planned["campaign"], actor=actor, now=now, keep=self._marking("campaign"))
        self._saved("campaigns")
        await segments.save(pool, planned["segment"], actor=actor, keep=self._marking("segment"))
        self._saved("segments")
        await templates.save(pool, planned["template"], actor=actor, now=now, keep=self._marking("template"))
        self._saved("templates")
        rules = planned["distribution"]
        await distributions.save(pool, rules, self.announce, actor=actor, now=now, keep=self._marking("distribution"))
        self._saved("distributions")

    async def prune(self) -> None:
        """Stop distributions, then delete what they named; campaigns stay, and are managed here from now on."""
        gone = [one for one in self.plan.compared if one.plan == "gone"]
        for one in sorted(gone, key=lambda one: one.kind != "distribution"):
            await self._end(one.kind, one.identity, Marking(released=[self._thing(one.kind, one.identity)]))
            self._saved(f"the end of {one.kind} {one.identity}")

    async def _end(self, kind: ManagedKind, identity: str, keep: Marking) -> None:
        pool, project_id, actor, now = self.pool, self.project_id, self.actor, self.now
        match kind:
            case "distribution":
                before = await Control(pool).newest(project_id, identity)
                if before is not None and before.status not in ("STOPPED", "ARCHIVED"):
                    await distributions.save_status(
                        pool, before, "STOPPED", self.announce, actor=actor, now=now, keep=keep
                    )
                else:
                    await Managed(pool).put(keep, by=actor)
            case "segment":
                await segments.remove(pool, project_id, identity, actor=actor, keep=keep)
            case "template":
                await templates.delete(pool, project_id, identity, actor=actor, now=now, keep=keep)
            case "campaign":
                await Managed(pool).put(keep, by=actor)

    def _marking(self, kind: ManagedKind) -> Marking:
        plan = self.plan
        return Marking([
            Mark(self._thing(kind, one.identity), plan.source, plan.hashes[kind, one.identity], one.version, self.actor,
                 self.now)
            for one in plan.planned[kind]
        ])  # fmt: skip

    def _thing(self, kind: ManagedKind, identity: str) -> ManagedThing:
        return ManagedThing(self.project_id, kind, identity)

    def _saved(self, what: str) -> None:
        self.done.append(what)
        self.on_progress(what)
