"""The life of a distribution: set live, pause, resume, stop. Each step says from where it may be taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import asyncpg
import msgspec

from console.control import distributions
from console.control.distributions import Announce
from console.control.ending import NotFromHere, must_not_be_archived
from schemas.closed import DistributionStatus
from schemas.distribution import Distribution
from store.distributions import Control
from store.managed import Keep

__all__ = ["STEPS", "NotFromHere", "Step", "StepName", "after_step", "take"]
StepName = Literal["live", "pause", "resume", "stop"]


@dataclass(frozen=True, slots=True)
class Step:
    """A step, the status that it leads to, and those that it may be taken from."""

    name: StepName
    status: DistributionStatus
    start: tuple[DistributionStatus, ...]
    summary: str


STEPS: Mapping[StepName, Step] = {
    one.name: one
    for one in (
        Step("live", "LIVE", ("DRAFT", "PAUSED", "STOPPED"), "Set a distribution live"),
        Step("pause", "PAUSED", ("LIVE",), "Pause a distribution: it sends nothing for now"),
        Step("resume", "LIVE", ("PAUSED",), "Send again what was paused"),
        Step("stop", "STOPPED", ("DRAFT", "LIVE", "PAUSED"), "Stop a distribution: it reacts no more"),
    )
}


def after_step(before: Distribution, step: Step, now: datetime) -> Distribution:
    """A distribution as a step leaves it; the same where it is there already. Raises NotFromHere."""
    if before.status == step.status:
        return before
    if before.status not in step.start:
        must_not_be_archived(before)
        start = " or ".join(step.start)
        raise NotFromHere(f"{before.id} is {before.status}: {step.name} must be from {start}")
    return msgspec.structs.replace(before, version=before.version + 1, status=step.status, updated_at=now)


async def take(
    pool: asyncpg.Pool,
    before: Distribution,
    step: Step,
    announce: Announce,
    *,
    actor: str,
    now: datetime,
    keep: Keep | None = None,
) -> Distribution:
    """Take a step from the version that there is; the same again changes nothing.

    Raises NotFromHere, VersionConflict, TryLater, and what `keep` raises.
    """
    after = after_step(before, step, now)
    if after is before:
        await announce(Control(pool))
        return after
    return await distributions.save_status(pool, before, step.status, announce, actor=actor, now=now, keep=keep)
