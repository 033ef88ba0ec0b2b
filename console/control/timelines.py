"""Timelines: all that Postgres has of a customer's messages, with what waits, segments and choices."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import asyncpg

from agents.wiring import Wiring
from console.control import explain, holds, segments
from console.control.customers import check_id
from console.control.explain import Asking, Story
from console.control.holds import HoldSummary
from console.control.segments import Membership
from store.chosen_holds import ChosenHolds, HoldFilter
from store.consent_choices import Choice, ConsentChoices
from store.read_models.search import Place

_MOST_HOLDS = 200


@dataclass(frozen=True, slots=True)
class CustomerTimeline:
    """A page of a customer's story; what waits, those due first; segments that are kept here; choices made with us."""

    story: Story
    holds: tuple[HoldSummary, ...]
    segments: tuple[Membership, ...]
    choices: tuple[Choice, ...]


async def timeline(
    pool: asyncpg.Pool,
    wiring: Wiring,
    project_id: str,
    customer: str,
    now: datetime,
    after: Place | None,
    limit: int,
    *,
    distribution: str | None = None,
    lag: bool = True,
) -> CustomerTimeline:
    """The timeline of a customer behind a place, or what one distribution has to do with it; no topic is read.

    Raises BadQuestion, TryLater.
    """
    check_id(customer)
    asking = Asking(
        who=customer,
        distribution=distribution,
        after=after,
        limit=limit,
        only_recorded=True,
        lag=lag,
        is_customer=True,
    )
    waiting = HoldFilter(project_id, distribution, customer, None)
    return CustomerTimeline(
        await explain.story(pool, wiring, project_id, asking, now),
        tuple(await holds.first_due(ChosenHolds(pool), waiting, _MOST_HOLDS)),
        tuple(await segments.of_customer(pool, project_id, customer)),
        await ConsentChoices(pool).of(project_id, customer),
    )
