"""The events of the last week as a distribution would have judged them, as far as their topic still holds them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

import asyncpg
import msgspec

from agents.wiring import Wiring
from console.control.explain import stored_profiles
from console.control.known_memberships import KnownMemberships
from console.control.recording import Recording, Whose, newest_of, rows_of
from console.control.simulation import simulate_over_time
from schemas.distribution import Distribution
from schemas.errors import TryLater
from schemas.events.triggers import TRIGGERS
from store.segments import Segments

WEEK = timedelta(days=7)
MOST = 20_000
"""Records of a topic that are looked through, from its end."""
_PROFILES_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Came:
    """The number of messages or events that ended so; `reason` is None for what is sent."""

    outcome: str
    reason: str | None
    number: int


@dataclass(frozen=True, slots=True)
class PastWeek:
    """The events of its type from `since` on, None for no event; `customers` would have had a message of it.

    `is_all` where the topic holds no older one of that week, and `has_profiles` where events were judged with the
    profiles of now, not with those that they bring along.
    """

    events: int
    since: datetime | None
    is_all: bool
    has_profiles: bool
    customers: int
    came: Sequence[Came]


async def past_week(
    pool: asyncpg.Pool, wiring: Wiring, project_id: str, rule: Distribution, zone: tzinfo, now: datetime
) -> PastWeek:
    """Judge them as if it had been live, whenever it starts. Raises TryLater, TidingsError."""
    whose, trigger = Whose(project_id, wiring.default_project), TRIGGERS[rule.trigger.event]
    newest = await asyncio.to_thread(newest_of, wiring, trigger.topic, whose, MOST)
    fit = tuple(one for one in newest.events if one.head.type == trigger.type and now - WEEK <= one.head.created_at)
    recording = Recording(fit)
    memberships = KnownMemberships(await Segments(pool).changes.of(project_id, recording.customers), {}, of_all=True)
    profiles = await _profiles(wiring, project_id, recording.customers)
    as_live = msgspec.structs.replace(rule, status="LIVE", starts_at=None, ends_at=None)
    made = await asyncio.to_thread(
        simulate_over_time, recording, [as_live], profiles or {}, zone, memberships=memberships
    )
    ends = [step.decision for steps in made.ends.values() for step in steps]
    return PastWeek(
        events=len(fit),
        since=fit[0].head.created_at if fit else None,
        is_all=not newest.is_cut or (bool(newest.events) and newest.events[0].head.created_at < now - WEEK),
        has_profiles=profiles is not None,
        customers=len({one.customer_id for one in ends if one.outcome == "emitted"}),
        came=[
            Came(outcome, reason, number)
            for (outcome, reason), number in Counter((one.outcome, one.reason) for one in ends).most_common()
        ],
    )


async def _profiles(wiring: Wiring, project_id: str, customers: Collection[str]) -> Mapping[str, bytes] | None:
    """Their profiles as they are now; None where reading them takes too long."""
    try:
        async with asyncio.timeout(_PROFILES_SECONDS):
            return rows_of(await asyncio.to_thread(stored_profiles, wiring, project_id, customers))
    except (TryLater, TimeoutError):
        return None
