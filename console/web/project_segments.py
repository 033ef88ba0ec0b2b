"""Pages of segments, as records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from console.web.builder.records import BuilderFormPage, BuilderPage, WrongLine
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
    may_write: bool
    note: str


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
    """One segment: who it is about, how many are in it, and those that it cannot judge.

    `edit` and `remove` are the addresses at which it is changed, None where nobody wrote it; `is_managed` where the
    page asks whether it is to be removed here although it is managed from Git.
    """

    template: ClassVar[str] = "segment.html"
    segment: SegmentRow
    reasons: Sequence[ShownUnjudged]
    events: Sequence[ShownEvents]
    document: str
    edit: str | None
    remove: str
    is_managed: bool
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentFormPage(BuilderFormPage):
    """A segment as its names and rows of its condition."""

    template: ClassVar[str] = "segment_form.html"


@dataclass(frozen=True, slots=True)
class ShownCount:
    """The customers that a draft would have, of those that were `looked_at`; `members` is None where nobody can say."""

    members: int | None
    unjudged: int
    reasons: Sequence[ShownUnjudged]
    looked_at: int
    customers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentTextPage(BuilderPage):
    """A segment as its YAML; `plan` are the lines of applying it and `counted` whom it would have, once it is right."""

    template: ClassVar[str] = "segment_text.html"
    wrong: Sequence[WrongLine] = ()
    plan: Sequence[str] | None = None
    counted: ShownCount | None = None


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
