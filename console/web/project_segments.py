"""Pages of segments, as records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from console.web.project_lists import ListPage
from console.web.project_pages import ProjectPage


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """A segment in the list; while it is not `is_computed`, so many of the customers are compared with it."""

    id: str
    name: str
    kind: str
    version: int
    members: int
    unjudged: int
    computed: int
    is_computed: bool
    applied_at: datetime
    path: str
    members_path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentsPage(ListPage):
    """The segments of a project."""

    template: ClassVar[str] = "segments.html"
    title: str = "Segments"
    rows: Sequence[SegmentRow]


@dataclass(frozen=True, slots=True)
class ShownUnjudged:
    """A reason why a segment cannot judge some customers, with one of them; `path` is the address of that one."""

    customers: int
    reason: str
    customer: str
    path: str


@dataclass(frozen=True, slots=True)
class ShownEvents:
    """Events that a segment counts, since when they are known, and how many of those that were there are in."""

    events: str
    topic: str
    since: datetime | None
    is_complete: bool
    records: int
    of: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentPage(ProjectPage):
    """One segment: who it is about, how many are in it, and those that it cannot judge."""

    template: ClassVar[str] = "segment.html"
    segment: SegmentRow
    reasons: Sequence[ShownUnjudged]
    events: Sequence[ShownEvents]
    document: str


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A customer in a segment."""

    customer: str
    since: datetime
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MembersPage(ListPage):
    """The customers in a segment; `segment_path` is the address of its page, None where none is named."""

    template: ClassVar[str] = "members.html"
    title: str = "Members of a segment"
    rows: Sequence[MemberRow]
    segment: str
    segment_path: str | None
