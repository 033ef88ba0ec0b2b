"""Recipients of a manual send: some customers by id, a segment, or those whom a condition fits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice

import asyncpg

from console.control.context import ProjectContext
from console.control.segments import find as find_segment
from schemas.errors import DefinitionInvalid, InvalidEvent, Problem
from schemas.events.event import MAX_ID
from schemas.record import JsonObject
from schemas.record_key import check_parts
from schemas.segment import SegmentDefinition
from schemas.send import Audience
from store.sends import SendChange
from streams.documents.segment import parse_segment

_AT_ONCE = 10_000
"""Customers of a list that are kept by one statement."""
_NAMED = 10
"""Of the problems of a list, how many are named."""


@dataclass(frozen=True, slots=True)
class ToCustomers:
    """Some customers by id, each once however often it is named. A problem names `source`: a file, an option."""

    customers: Iterable[str]
    source: str = "customers"

    def place(self, number: int) -> str:
        """The place of a customer, counted from 1, as problems name it."""
        return f"{self.source}: customer {number}"


@dataclass(frozen=True, slots=True)
class ToSegment:
    """Whoever is in a segment when its turn comes."""

    segment: str


@dataclass(frozen=True, slots=True)
class ToCondition:
    """Those whom a condition fits: a segment of its own, which is kept under a name where it has one."""

    condition: JsonObject
    name: str | None = None


Recipients = ToCustomers | ToSegment | ToCondition


async def audience_of(
    pool: asyncpg.Pool, project: ProjectContext, to: Recipients, own: str, now: datetime
) -> tuple[Audience, SegmentDefinition | None]:
    """Whom it goes to, with the segment that has to be made for it: `own` is the name of one that is not kept."""
    if isinstance(to, ToCustomers):
        return Audience(kind="list"), None
    if isinstance(to, ToSegment):
        found = await find_segment(pool, project.project_id, to.segment)
        return Audience(kind="segment", segment=found.definition.id), None
    name = to.name or own.replace("_", "-")
    try:
        segment = parse_segment(
            {"segment": name, "when": to.condition},
            project_id=project.project_id,
            timezone=project.timezone,
            version=1,
            now=now,
            read_members=_no_file,
        )
    except DefinitionInvalid as error:
        raise DefinitionInvalid(tuple(map(_as_asked, error.problems))) from None
    return Audience(kind="segment", segment=segment.id, own=to.name is None), segment


def _as_asked(problem: Problem) -> Problem:
    """A problem of the segment that is made, with the words of whoever asked for it."""
    if problem.path == "segment":
        return replace(problem, path="save_as")
    return replace(problem, path="where" + problem.path.removeprefix("when"))


def _no_file(name: str) -> Sequence[str]:
    raise ValueError(f"{name} cannot be read here")


async def add_customers(change: SendChange, project_id: str, send_id: str, to: ToCustomers) -> None:
    """All of a list, or none: an id that no customer can have is a problem, with its place in the list."""
    numbered, problems, added = enumerate(to.customers, 1), list[Problem](), 0
    while chunk := list(islice(numbered, _AT_ONCE)):
        wrong = [(number, why) for number, one in chunk if (why := _why_not_an_id(one, project_id))]
        problems += [Problem(to.place(number), why) for number, why in wrong]
        if len(problems) >= _NAMED:
            break
        if not problems:
            await change.add_members(project_id, send_id, [one for _, one in chunk])
            added += len(chunk)
    if not added and not problems:
        problems.append(Problem(to.source, "names no customer"))
    if problems:
        raise DefinitionInvalid(tuple(problems[:_NAMED]))


def _why_not_an_id(customer: str, project_id: str) -> str:
    if not 0 < len(customer) <= MAX_ID:
        return f"an id has 1 to {MAX_ID} characters, this has {len(customer)}"
    try:
        check_parts(customer, project_id)
    except InvalidEvent as error:
        return str(error)
    return ""
