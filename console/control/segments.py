"""Segments from files to the database: check everything, show the plan, save all or nothing; and taking one away."""

from __future__ import annotations

import csv
import getpass
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from agents.clock import utc_now
from console.control.files.documents import Document
from console.control.plan import Planned, changes, check_documents, planned
from schemas.distribution import Distribution
from schemas.errors import TidingsError
from schemas.segment import SegmentDefinition
from store.distributions import Control
from store.segments import Segments
from streams.documents.segment import parse_segment

_HEADERS = frozenset({"id", "customer", "customer_id", "customer.id"})
"""What the first line of a list may say, where it is no id."""
_USING = ("LIVE", "PAUSED")


SegmentChange = tuple[SegmentDefinition, str]
"""A definition, and its source as written."""


async def plan(paths: list[Path], project_id: str, segments: Segments) -> list[Planned[SegmentChange]]:
    """What applying some files would do. Raises DefinitionInvalid with all problems, each with its line."""
    current = {one.definition.id: one.definition for one in await segments.current(project_id)}

    def read(document: Document) -> SegmentDefinition:
        before = current.get(document.identity("segment"))
        return parse_segment(
            document.plain,
            project_id=project_id,
            version=before.version + 1 if before else 1,
            now=utc_now(),
            read_members=_reader_beside(document.file),
        )

    return [
        _planned(current.get(after.id), after, document.source)
        for document, after in check_documents(paths, "segment", read, lambda segment: segment.id)
    ]


def _planned(before: SegmentDefinition | None, after: SegmentDefinition, source: str) -> Planned[SegmentChange]:
    new, said = f"{after.kind}, computed from now on", {"members": _come_and_gone}
    return planned("segment", before, after, (after, source), new=new, said=said)


def _come_and_gone(before: list[str] | None, after: list[str] | None) -> str:
    old, new = set(before or ()), set(after or ())
    return "" if old == new else f"+{len(new - old)} -{len(old - new)}"


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


async def save(plan: Sequence[Planned[SegmentChange]], segments: Segments) -> None:
    """Save what differs, in one transaction. Raises SegmentConflict, TryLater."""
    await segments.save(changes(plan), applied_by=getpass.getuser(), now=await segments.now())


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
