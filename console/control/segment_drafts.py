"""Segments while people write them: a text, held against what is there, counted, and saved over what was looked at."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import asyncpg

from console.control import segments
from console.control.context import ProjectContext
from console.control.document_texts import own_text
from console.control.drafts import DraftWrong, placed, read
from console.control.not_found import not_found
from console.control.plan import Planned
from console.control.segments import SegmentChange, Unjudged
from schemas.errors import DefinitionInvalid, Problem, TidingsError
from schemas.segment import SegmentDefinition
from store.managed import Keep
from store.segments import SegmentConflict, Segments
from streams.behaviours import behaviours_of
from streams.documents.segment import SEGMENT
from streams.segments import SegmentIndex, read_condition
from streams.values.wording import invalid

ORDER = tuple(SEGMENT.keys)
"""The keys of a segment, in the order in which it reads best."""
MOST_COUNTED = 10_000
"""Customers that a draft is tried on."""
_REASONS = 5
_KIND = "segment"


class SegmentChanged(TidingsError):
    """Somebody has applied another version than the one that was looked at, or taken it away: then it is 0."""

    def __init__(self, identity: str, version: int) -> None:
        super().__init__(f"{identity} is in version {version} by now" if version else f"{identity} was taken away")
        self.version = version


@dataclass(frozen=True, slots=True)
class SegmentDraft:
    """A text, and what it is to become: another version of `identity`, which was looked at in the version `seen`.

    None and 0 for one that is to be new.
    """

    text: str
    identity: str | None = None
    seen: int = 0


@dataclass(frozen=True, slots=True)
class Counted:
    """The customers that a definition would have, of those that were looked at, and those that it cannot judge.

    `members` is None where it asks what customers did: that is counted from when it is saved.
    """

    members: int | None
    unjudged: int
    reasons: tuple[Unjudged, ...]
    looked_at: int
    customers: int


async def stored_text(pool: asyncpg.Pool, project_id: str, identity: str) -> tuple[SegmentDefinition, str]:
    """One that somebody wrote, and its text. Raises NotFound, TryLater."""
    store = Segments(pool)
    for definition, source in (await store.sources(project_id, identity)).values():
        return definition, own_text(source, _KIND, identity)
    raise not_found(_KIND, identity, await store.sources(project_id))


async def is_written(pool: asyncpg.Pool, definition: SegmentDefinition) -> bool:
    """True of one that somebody wrote: those that sends made have no text. Raises TryLater."""
    return bool(await Segments(pool).sources(definition.project_id, definition.id))


async def plan(
    pool: asyncpg.Pool, project: ProjectContext, draft: SegmentDraft, now: datetime
) -> Planned[SegmentChange]:
    """The plan of applying a draft. Raises DraftWrong with all problems, SegmentChanged, TryLater."""
    document = read(draft.text)
    named = document.identity(_KIND)
    version = await segments.version(pool, project.project_id, named) if named else 0
    if draft.identity is not None and named != draft.identity:
        said = invalid(named, f'"{draft.identity}", which it keeps; one of another id is another segment')
        raise DraftWrong((placed(document, Problem(_KIND, said)),))
    if version and draft.identity is None:
        said = f'"{named}" is there already, in version {version}: give it another id'
        raise DraftWrong((placed(document, Problem(_KIND, said)),))
    if named and version != draft.seen:
        raise SegmentChanged(named, version)
    try:
        (planned,) = await segments.plan(pool, [replace(document, place="")], project, now)
    except DefinitionInvalid as error:
        raise DraftWrong(tuple(placed(document, one) for one in error.problems)) from error
    if planned.beside != draft.seen:
        raise SegmentChanged(planned.identity, planned.beside)
    return planned


async def already_saved(pool: asyncpg.Pool, project_id: str, draft: SegmentDraft) -> str | None:
    """The id of what a draft has become already, where somebody presses twice. Raises DraftWrong, TryLater."""
    named = read(draft.text).identity(_KIND)
    definition, source = (await Segments(pool).sources(project_id, named)).get(named, (None, ""))
    is_it = definition is not None and definition.version == draft.seen + 1 and source == draft.text
    return named if is_it and draft.identity in (None, named) else None


async def save(pool: asyncpg.Pool, planned: Planned[SegmentChange], *, actor: str, keep: Keep) -> None:
    """Apply it. Raises SegmentChanged, ManagedFromGit, TryLater."""
    try:
        await segments.save(pool, [planned], actor=actor, keep=keep)
    except SegmentConflict:
        definition = planned.change[0]
        version = await segments.version(pool, definition.project_id, definition.id)
        raise SegmentChanged(definition.id, version) from None


async def count(pool: asyncpg.Pool, project: ProjectContext, definition: SegmentDefinition, now: datetime) -> Counted:
    """The customers that a definition would have by now. Raises TryLater."""
    store = Segments(pool)
    total = await store.customers(project.project_id)
    if definition.members is not None:
        return Counted(len(definition.members), 0, (), total, total)
    condition, _ = read_condition(definition)
    if any(behaviours_of(condition)):
        return Counted(None, 0, (), 0, total)
    rows = await store.spread_profiles(project.project_id, MOST_COUNTED)
    members, reasons = await asyncio.to_thread(_judged, project, definition, rows, now)
    found = Counter(reasons.values())
    examples = {reason: customer for customer, reason in reasons.items()}
    shown = tuple(Unjudged(number, examples[reason], reason) for reason, number in found.most_common(_REASONS))
    return Counted(members, len(reasons), shown, len(rows), max(total, len(rows)))


def _judged(
    project: ProjectContext, definition: SegmentDefinition, rows: Mapping[str, bytes], now: datetime
) -> tuple[int, dict[str, str]]:
    """The number of those in it, and by customer why it cannot judge others."""
    index, members, reasons = SegmentIndex(project.project_id, project.zone), 0, dict[str, str]()
    index.insert(definition)
    for customer, row in rows.items():
        judged = index.of(customer, row, now)
        members += definition.id in judged.members
        if definition.id in judged.unjudged:
            reasons[customer] = judged.unjudged[definition.id]
    return members, reasons
