"""Segments: check documents, plan, save all or nothing; who is in one, and taking one away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from console.control.context import ProjectContext
from console.control.documents import Document
from console.control.not_found import not_found
from console.control.plan import Planned, changes, check_documents, planned
from console.control.segment_names import REACTING, named_segments
from schemas.distribution import Distribution
from schemas.errors import TidingsError
from schemas.segment import SegmentDefinition
from store.behaviours import Behaviours, Progress
from store.distributions import Control
from store.managed import LOCKED, Keep
from store.segments import Segments, SegmentSummary
from store.sends import Sends
from streams.behaviours import behaviours_of, topic_of
from streams.conditions.language import Behaviour
from streams.documents.segment import parse_segment
from streams.segments import read_condition

_REASONS = 5
"""Reasons why a segment cannot judge customers that are shown, at most."""

SegmentChange = tuple[SegmentDefinition, str]
"""A definition, and its source as written."""


@dataclass(frozen=True, slots=True)
class Member:
    """A customer in a segment."""

    customer: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Unjudged:
    """A reason why a segment cannot judge some customers, with one of them as an example."""

    customers: int
    customer_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Counts:
    """Events that a segment counts: since when they are known, None where all of them are, and of what is new how much.

    `records` of `of` records that the topic held when it was new are in; nobody is in the segment before all are.
    """

    events: str
    topic: str
    since: datetime | None
    is_complete: bool
    records: int
    of: int


@dataclass(frozen=True, slots=True)
class SegmentShown:
    """A segment with its members counted, why it cannot judge some customers, and which events it counts, if any."""

    summary: SegmentSummary
    reasons: tuple[Unjudged, ...]
    counts: tuple[Counts, ...]


@dataclass(frozen=True, slots=True)
class Membership:
    """A segment that a customer is in, or that cannot judge it."""

    segment: str
    since: datetime | None
    cannot_judge: str | None


async def plan(
    pool: asyncpg.Pool, documents: Iterable[Document], project: ProjectContext, now: datetime
) -> list[Planned[SegmentChange]]:
    """The plan of applying some documents. Raises DefinitionInvalid with all problems, each with its line."""
    current = {one.definition.id: one.definition for one in await Segments(pool).current(project.project_id)}
    return [
        _planned(current.get(after.id), after, document.source)
        for document, after in check(documents, current, project, now)
    ]


def check(
    documents: Iterable[Document], current: Mapping[str, SegmentDefinition], project: ProjectContext, now: datetime
) -> list[tuple[Document, SegmentDefinition]]:
    """Every segment, checked. Raises DefinitionInvalid with all problems, each with its line."""

    def read(document: Document) -> SegmentDefinition:
        before = current.get(document.identity("segment"))
        return parse_segment(
            document.plain,
            project_id=project.project_id,
            timezone=project.timezone,
            version=before.version + 1 if before else 1,
            now=now,
            read_members=document.beside.members,
        )

    return check_documents(documents, "segment", read, lambda segment: segment.id)


def _planned(before: SegmentDefinition | None, after: SegmentDefinition, source: str) -> Planned[SegmentChange]:
    wordings = {"members": _come_and_gone}
    new, counts = f"{after.kind}, computed from now on", _counts_of(before, after)
    if counts:
        new = f"{after.kind}, {'; '.join(counts)}"
    return planned("segment", before, after, (after, source), new=new, wordings=wordings, besides=counts)


def _counts_of(before: SegmentDefinition | None, after: SegmentDefinition) -> tuple[str, ...]:
    """The behaviours that are counted for a version, and nobody counts for the one before."""
    known = _behaviours(before) if before else {}
    return tuple(
        f"counts {one} in all that {topic_of(one)} still holds, and is computed after that"
        for key, one in _behaviours(after).items()
        if key not in known
    )


def _behaviours(definition: SegmentDefinition) -> dict[str, Behaviour]:
    condition, _ = read_condition(definition) if definition.when is not None else (None, ())
    return {one.key: one for one in behaviours_of(condition)}


def _come_and_gone(before: list[str] | None, after: list[str] | None) -> str:
    old, new = set(before or ()), set(after or ())
    return "" if old == new else f"+{len(new - old)} -{len(old - new)}"


async def save(pool: asyncpg.Pool, plan: Sequence[Planned[SegmentChange]], *, actor: str, keep: Keep = LOCKED) -> None:
    """Save what differs, in one transaction, at the database's time: it is compared with that of profiles.

    Raises SegmentConflict, ManagedFromGit, TryLater.
    """
    segments = Segments(pool)
    await segments.save(changes(plan), applied_by=actor, now=await segments.now(), keep=keep)


async def listed(pool: asyncpg.Pool, project_id: str) -> tuple[list[SegmentSummary], int]:
    """Every segment, and how many customers there are to compare. Raises TryLater."""
    segments = Segments(pool)
    return await segments.current(project_id), await segments.customers(project_id)


async def page(pool: asyncpg.Pool, project_id: str, after: str, limit: int) -> list[SegmentSummary]:
    """Segments behind an id, by id. Raises TryLater."""
    return await Segments(pool).current(project_id, after, limit)


async def version(pool: asyncpg.Pool, project_id: str, identity: str) -> int:
    """The version of a segment; 0 where it is not there. Raises TryLater."""
    return await Segments(pool).version(project_id, identity)


async def find(pool: asyncpg.Pool, project_id: str, identity: str) -> SegmentSummary:
    """One segment, with its members counted. Raises NotFound, TryLater."""
    current = {one.definition.id: one for one in await Segments(pool).current(project_id)}
    if identity not in current:
        raise not_found("segment", identity, current)
    return current[identity]


async def show(pool: asyncpg.Pool, project_id: str, identity: str) -> SegmentShown:
    """One segment, and why it cannot judge some customers. Raises NotFound, TryLater."""
    found = await find(pool, project_id, identity)
    rows = await Segments(pool).unjudged_reasons(project_id, identity, _REASONS) if found.unjudged else []
    reasons = tuple(Unjudged(row["customers"], row["customer_id"], row["reason"]) for row in rows)
    behaviours = _behaviours(found.definition)
    progress = {one.key: one for one in await Behaviours(pool).progress(project_id)} if behaviours else {}
    return SegmentShown(found, reasons, tuple(_counts(one, progress.get(key)) for key, one in behaviours.items()))


def _counts(behaviour: Behaviour, progress: Progress | None) -> Counts:
    said, topic = str(behaviour), topic_of(behaviour)
    if progress is None:  # no segmenter has seen it yet
        return Counts(said, topic, None, False, 0, 0)
    return Counts(said, topic, progress.since, progress.is_ready, progress.done, progress.goal)


async def members(pool: asyncpg.Pool, project_id: str, identity: str, limit: int, after: str = "") -> list[Member]:
    """At most `limit` members behind an id, by id. Raises NotFound, TryLater."""
    segments = Segments(pool)
    if not await segments.version(project_id, identity):
        raise not_found("segment", identity, await segments.ids(project_id))
    rows = await segments.members(project_id, identity, limit, after)
    return [Member(row["customer_id"], row["since"]) for row in rows]


async def of_customer(pool: asyncpg.Pool, project_id: str, customer: str) -> list[Membership]:
    """The segments that a customer is in, then those that cannot judge it. Raises TryLater."""
    segments = Segments(pool)
    inside = [
        Membership(row["segment_id"], row["since"], None) for row in await segments.of_customer(project_id, customer)
    ]
    unjudged = await segments.unjudged_of_customer(project_id, customer)
    return inside + [Membership(row["segment_id"], None, row["reason"]) for row in unjudged]


async def remove(
    pool: asyncpg.Pool,
    project_id: str,
    identity: str,
    *,
    actor: str,
    dry_run: bool = False,
    keep: Keep = LOCKED,
) -> None:
    """Take a segment away; a dry run looks whether that can be.

    Raises TidingsError where a live or paused distribution, or a send, uses it, NotFound, ManagedFromGit.
    """
    users = [one.id for one in (await Control(pool).current(project_id)).values() if _uses(one, identity)]
    if users:
        raise TidingsError(
            f"segment {identity} is used by {', '.join(sorted(users))}; stop them first: "
            f"tidings distributions stop {min(users)}"
        )
    if send := await Sends(pool).using_segment(project_id, identity):
        raise TidingsError(f"segment {identity} is whom {send} goes to; stop it first: tidings sends stop {send}")
    segments = Segments(pool)
    is_there = await (
        segments.version(project_id, identity)
        if dry_run
        else segments.remove(project_id, identity, by=actor, keep=keep)
    )
    if not is_there:
        raise not_found("segment", identity, await segments.ids(project_id))


def _uses(distribution: Distribution, segment_id: str) -> bool:
    """True where it reacts, and names the segment in a trigger, in its guard or in what ends it."""
    return distribution.status in REACTING and any(one.segment == segment_id for one in named_segments(distribution))
