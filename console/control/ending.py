"""The refusal to archive a distribution that reacts, or that has something to send yet."""

from __future__ import annotations

import asyncpg

from schemas.closed import DistributionStatus
from schemas.distribution import Distribution
from schemas.errors import TidingsError
from store.distribution_ends import DistributionEnds, Waiting

OVER: tuple[DistributionStatus, ...] = ("DRAFT", "STOPPED", "ENDED")
"""From where one may be archived: it reacts to nothing."""


class NotFromHere(TidingsError):
    """A step that cannot be taken from the status that there is."""


def must_not_be_archived(before: Distribution) -> None:
    """Refuse every other step of one that is archived. Raises NotFromHere."""
    if before.status == "ARCHIVED":
        raise NotFromHere(f"{before.id} is archived: bring it back first: tidings distributions restore {before.id}")


async def must_be_over(pool: asyncpg.Pool, before: Distribution) -> None:
    """Refuse to archive what reacts, or has something to send yet. Raises NotFromHere, TryLater."""
    if before.status == "ARCHIVED":
        return
    if before.status not in OVER:
        raise NotFromHere(
            f"{before.id} is {before.status}: stop it first, then archive it: tidings distributions stop {before.id}"
        )
    waiting = await DistributionEnds(pool).waiting(before.project_id, before.id)
    if said := _in_the_way(before.id, waiting):
        raise NotFromHere(f"{before.id} cannot be archived yet: {said}")


def _in_the_way(identity: str, waiting: Waiting) -> str:
    """Whatever has to be over first, and what ends it; empty where nothing is left."""
    said = []
    if waiting.send_id is not None:
        said.append(f"its send {waiting.send_id} is not over; stop it: tidings sends stop {waiting.send_id}")
    if waiting.holds:
        said.append(
            f"{waiting.holds} of its messages wait for a moment; cancel them: "
            f"tidings holds cancel --distribution {identity}"
        )
    if waiting.deliveries:
        said.append(
            f"{waiting.deliveries} of its messages are on their way; wait for them, or cancel them: "
            f"tidings deliveries cancel --distribution {identity}"
        )
    return "; ".join(said)
