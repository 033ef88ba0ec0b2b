"""The audience of a distribution: members of a segment, or the customers of the newest events that it is about.

As many as are asked for are looked at, one event each, as if it happened when it would be live.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

import asyncpg
import msgspec

from agents.broker.wire import Wire
from console.control.known_memberships import KnownMemberships
from console.control.not_found import not_found
from console.control.preflight.finding import Finding, found
from console.control.preview.messages import sample_event
from console.control.recording import Recorded, Recording, Whose, newest_of, of_records
from schemas.distribution import Distribution
from schemas.errors import TidingsError
from schemas.events.triggers import BACKFILLED, MANUAL, TRIGGERS
from schemas.record import JsonObject
from store.segments import Segments
from streams.selection import in_words, is_selected

MOST = 200
"""Customers that are looked at, where nobody says otherwise."""
MOST_ASKED = 1000
MOST_RECORDS = 20_000
"""Records of its topic that are read for events that it is about."""


@dataclass(frozen=True, slots=True)
class Audience:
    """An event of each customer that is looked at, with the profiles that count; `total` are all who are known of.

    `whence` says where they come from; `is_known` is False where there is nothing but a sample.
    """

    recording: Recording = field(repr=False)
    rows: dict[str, bytes] = field(repr=False)
    memberships: KnownMemberships
    total: int
    whence: str
    is_known: bool = True

    @property
    def size(self) -> int:
        """The number of customers that are looked at."""
        return len(self.recording.events)


@dataclass(frozen=True, slots=True)
class Sought:
    """The audience that is asked for: at most so many, of a segment where one is named, at a moment."""

    segment: str | None
    most: int
    moment: datetime


async def audience_of(
    pool: asyncpg.Pool, wire: Wire, rule: Distribution, sought: Sought
) -> tuple[Audience, list[Finding]]:
    """The audience, and what there is to say about it. Raises NotFound for a segment that is asked for; TryLater."""
    segments, named = Segments(pool), sought.segment
    if named is not None and not await segments.version(rule.project_id, named):
        raise not_found("segment", named, await segments.ids(rule.project_id))
    if named is None and rule.trigger.event == BACKFILLED and rule.trigger.segment is not None:
        named = rule.trigger.segment if await segments.version(rule.project_id, rule.trigger.segment) else None
    made, why = (
        (await _of_events(pool, wire, rule, sought))
        if named is None
        else (await _of_segment(segments, wire, rule, named, sought), "")
    )
    if made is None:
        return _sample(wire, rule, sought), [found("audience_unknown", "trigger", why)]
    if not made.size:
        return _sample(wire, rule, sought), [found("audience_empty", "trigger", f"nobody is in segment {named}")]
    if made.size < made.total:
        said = f"{made.size:,} of {made.total:,} {made.whence} were looked at"
        return made, [found("audience_sampled", "trigger", said, count=made.size, of=made.total)]
    return made, []


async def _of_segment(segments: Segments, wire: Wire, rule: Distribution, named: str, sought: Sought) -> Audience:
    members = await segments.spread_members(rule.project_id, named, sought.most)
    rows = {customer: row for customer, row in members.items() if row is not None}
    profiles: Iterable[JsonObject] = (
        msgspec.json.decode(row) if row is not None else {"id": customer} for customer, row in members.items()
    )
    records = [_event(rule, profile, number, sought.moment) for number, profile in enumerate(profiles)]
    recording = of_records(records, f"segment {named}", _whose(wire, rule))
    known = await segments.changes.of(rule.project_id, members)
    total = await segments.count(rule.project_id, named)
    return Audience(recording, rows, KnownMemberships(known, of_all=True), total, f"members of {named}")


async def _of_events(pool: asyncpg.Pool, wire: Wire, rule: Distribution, sought: Sought) -> tuple[Audience | None, str]:
    """The customers of the newest events; why nobody is known, where there are none."""
    trigger = TRIGGERS[rule.trigger.event]
    if trigger.type == MANUAL:
        return None, "whom it is sent to is said when it is: name a segment to look at its members"
    try:
        recent = await asyncio.to_thread(newest_of, wire, trigger.topic, _whose(wire, rule), MOST_RECORDS)
    except TidingsError as error:
        return None, f"the events of {trigger.topic} cannot be read: {error}"
    about = {one.head.customer_id: one for one in recent.events if _is_about(rule, one)}
    if not about:
        words = in_words(rule.trigger)
        said = f"{trigger.type}{f', {words}' if words else ''}"
        return None, f"none of the newest {len(recent.events):,} events of {trigger.topic} is {said}"
    chosen = sorted(about.values(), key=lambda one: one.head.created_at)[-sought.most :]
    shifted = tuple(one.later(sought.moment - one.head.created_at) for one in chosen)
    segments, ids = Segments(pool), [one.head.customer_id for one in chosen]
    known = KnownMemberships(await segments.changes.of(rule.project_id, ids), of_all=True)
    rows = await segments.profiles(rule.project_id, ids)
    since = chosen[0].head.created_at if len(chosen) == len(about) else min(_times(about.values()))
    whence = f"customers of {trigger.type} since {since:%Y-%m-%d %H:%M}Z"
    return Audience(Recording(shifted), rows, known, len(about), whence), ""


def _times(events: Iterable[Recorded]) -> Iterable[datetime]:
    return (one.head.created_at for one in events)


def _is_about(rule: Distribution, event: Recorded) -> bool:
    return event.head.type == rule.trigger.event and is_selected(rule, event.head.data)


def _sample(wire: Wire, rule: Distribution, sought: Sought) -> Audience:
    """One event with every field that samples have, in place of nobody."""
    recording = of_records([_event(rule, None, 0, sought.moment)], "sample", _whose(wire, rule))
    return Audience(recording, {}, KnownMemberships(of_all=True), 0, "a sample", is_known=False)


def _event(rule: Distribution, profile: JsonObject | None, number: int, moment: datetime) -> JsonObject:
    made = sample_event(rule, rule.project_id, profile)
    return {**made, "id": f"ev_preflight_{number}", "created_at": moment.isoformat()}


def _whose(wire: Wire, rule: Distribution) -> Whose:
    return Whose(rule.project_id, wire.default_project)
