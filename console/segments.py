"""Segments from files to the database: check everything, show the plan, save all or nothing; and taking one away."""

from __future__ import annotations

import csv
import getpass
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from agents.wiring import utc_now
from console.apply import located
from console.documents import Document, read_documents
from schemas.distribution import Distribution
from schemas.errors import DefinitionInvalid, Problem, TidingsError
from schemas.segment_definition import SegmentDefinition
from store.control import Control
from store.segments import Segments
from streams.segment_definition import parse_segment

_HEADERS = frozenset({"id", "customer", "customer_id", "customer.id"})
"""What the first line of a list may say, where it is no id."""
_USING = ("LIVE", "PAUSED")
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class Planned:
    """A segment as it is to be, and how that reads: `what` is new, changed or unchanged."""

    what: str
    definition: SegmentDefinition
    source: str
    lines: tuple[str, ...]


async def plan(paths: list[Path], project_id: str, segments: Segments) -> list[Planned]:
    """What applying some files would do. Raises DefinitionInvalid with all problems, each with its line."""
    current = {one.definition.id: one.definition for one in await segments.current(project_id)}
    problems: list[Problem] = []
    planned: dict[str, Planned] = {}
    for document in read_documents(paths):
        try:
            one = _planned(document, project_id, current)
        except DefinitionInvalid as error:
            problems += [located(document, problem) for problem in error.problems]
            continue
        if one.definition.id in planned:
            problems.append(located(document, Problem("segment", f"segment {one.definition.id} stands here twice")))
        planned[one.definition.id] = one
    if problems:
        raise DefinitionInvalid(tuple(problems))
    return list(planned.values())


def _planned(document: Document, project_id: str, current: dict[str, SegmentDefinition]) -> Planned:
    identity = document.plain.get("segment") if isinstance(document.plain, dict) else None
    before = current.get(identity) if isinstance(identity, str) else None
    after = parse_segment(
        document.plain,
        project_id=project_id,
        version=before.version + 1 if before else 1,
        now=utc_now(),
        read_members=_reader_beside(document.file),
    )
    if before is None:
        return Planned("new", after, document.source, (f"{after.kind}, computed from now on",))
    lines = _differences(before, after)
    return Planned("changed" if lines else "unchanged", after, document.source, lines)


def _reader_beside(file: Path) -> Callable[[str], Sequence[str]]:
    """Reads a list of ids: the first column of a CSV file, with or without a header."""

    def read(name: str) -> Sequence[str]:
        try:
            with (file.parent / name).open(newline="", encoding="utf-8-sig") as lines:
                ids = [row[0].strip() for row in csv.reader(lines) if row and row[0].strip()]
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise ValueError(f"{name} cannot be read: {error}") from error
        return ids[1:] if ids and ids[0].lower() in _HEADERS else ids

    return read


def _differences(before: SegmentDefinition, after: SegmentDefinition) -> tuple[str, ...]:
    lines = [
        f"{name}: {_short(getattr(before, name))} → {_short(getattr(after, name))}"
        for name in ("name", "when")
        if getattr(before, name) != getattr(after, name)
    ]
    old, new = set(before.members or ()), set(after.members or ())
    if old != new:
        lines.append(f"members: +{len(new - old)} -{len(old - new)}")
    return tuple(lines)


def _short(value: Any) -> str:
    shown = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"


async def save(planned: Sequence[Planned], segments: Segments) -> None:
    """Save what differs, in one transaction. Raises SegmentConflict, TryLater."""
    changes = [(one.definition, one.source) for one in planned if one.what != "unchanged"]
    await segments.save(changes, applied_by=getpass.getuser(), now=utc_now())


async def remove(segment_id: str, project_id: str, segments: Segments, control: Control) -> None:
    """Take a segment away. Raises TidingsError where a live or paused distribution names it, or there is none."""
    users = [one.id for one in (await control.current(project_id)).values() if _uses(one, segment_id)]
    if users:
        raise TidingsError(
            f"segment {segment_id} is used by {', '.join(sorted(users))}; stop them first: "
            f"tidings distributions stop {min(users)}"
        )
    if not await segments.remove(project_id, segment_id):
        raise TidingsError(f"there is no segment {segment_id}")


def _uses(distribution: Distribution, segment_id: str) -> bool:
    """Whether it reacts, and names the segment in its trigger or guard."""
    if distribution.status not in _USING:
        return False
    return distribution.trigger.segment == segment_id or _names(distribution.when, segment_id, inside=False)


def _names(node: Any, segment_id: str, *, inside: bool) -> bool:
    if isinstance(node, dict):
        return any(_names(value, segment_id, inside=inside or key == "segment.id") for key, value in node.items())
    if isinstance(node, list):
        return any(_names(value, segment_id, inside=inside) for value in node)
    return inside and node == segment_id
