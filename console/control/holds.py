"""Sends that wait for a moment: list, count, cancel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from console.control.rows import of_row
from schemas.closed import Reason, members
from schemas.errors import DefinitionInvalid, Problem, TidingsError
from schemas.names import ROUGHLY_LIKE, nearest
from store.chosen_holds import FIRST, FIRST_DUE, ChosenHolds, DuePlace, HoldFilter, HoldsStanding

_CHUNK = 1000
_GROUPS = 30


@dataclass(frozen=True, slots=True)
class HoldGroup:
    """Sends of a distribution that wait for the same reason; those `due` or `canceled` are being released.

    `first_until` is None where all wait until their distribution goes on.
    """

    distribution_id: str
    reason: str
    waiting: int
    due: int
    canceled: int
    first_until: datetime | None
    last_until: datetime | None


@dataclass(frozen=True, slots=True)
class HoldSummary:
    """One send that waits; `until_at` is None where it waits until its distribution goes on."""

    hold_id: str
    round: int
    distribution_id: str
    customer_id: str
    reason: str
    until_at: datetime | None
    held_at: datetime
    canceled_by: str | None


def read_filter(project_id: str, distribution: str | None, customer: str | None, reason: str | None) -> HoldFilter:
    """A filter as somebody wrote it. Raises TidingsError for a reason that does not exist."""
    if reason and reason not in members(Reason):
        meant = nearest(reason, members(Reason), ROUGHLY_LIKE)
        hint = f'. Did you mean "{meant}"?' if meant else ""
        raise TidingsError(f'reason: "{reason}" is not valid: must be one of {", ".join(members(Reason))}{hint}')
    return HoldFilter(project_id, distribution or None, customer or None, reason or None)


async def groups(holds: ChosenHolds, chosen: HoldFilter) -> list[HoldGroup]:
    """Those that wait, counted; the most frequent first. Raises TryLater."""
    return [of_row(HoldGroup, row) for row in await holds.groups(chosen, _GROUPS)]


async def first_due(
    holds: ChosenHolds, chosen: HoldFilter, limit: int, after: DuePlace = FIRST_DUE
) -> list[HoldSummary]:
    """Those of them behind a place that are due first, at most `limit`. Raises TryLater."""
    return [of_row(HoldSummary, row) for row in await holds.listed(chosen, after, limit)]


async def foresee(holds: ChosenHolds, chosen: HoldFilter) -> HoldsStanding:
    """Count what a cancel would reach. Raises DefinitionInvalid where no distribution and no customer is named."""
    if chosen.distribution is None and chosen.customer is None:
        said = "nothing is chosen; name a distribution, a customer, or both"
        raise DefinitionInvalid((Problem("distribution", said),))
    return await holds.standing(chosen)


async def cancel(
    holds: ChosenHolds, chosen: HoldFilter, *, actor: str, on_progress: Callable[[int], None] = lambda _: None
) -> int:
    """End what waits, in chunks; how many. Each is decided as canceled by a matcher; what is due by now goes on."""
    await foresee(holds, chosen)
    done, after = 0, FIRST
    while found := await holds.cancel(chosen, actor, after=after, limit=_CHUNK):
        after, done = found.last, done + found.number
        on_progress(done)
    return done
