"""Pages of keeping it running, as records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from console.web.project_lists import ListPage
from console.web.project_pages import ProjectPage


@dataclass(frozen=True, slots=True)
class NoticeRow:
    """A matter that waits for a person; `look_at` is the command that shows more, or mends it."""

    state: str
    kind: str
    about: str
    summary: str
    look_at: str
    opened_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticesPage(ListPage):
    """Matters that wait for a person."""

    template: ClassVar[str] = "notices.html"
    title: str = "Notices"
    rows: Sequence[NoticeRow]


@dataclass(frozen=True, slots=True)
class DestinationRow:
    """A destination that little or nothing is sent to: why, since when, and what waits for it."""

    destination: str
    state: str
    kind: str
    reason: str
    paused_at: datetime | None
    waiting: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationsPage(ListPage):
    """Destinations that are paused, failing or throttled."""

    template: ClassVar[str] = "destinations.html"
    title: str = "Destinations"
    rows: Sequence[DestinationRow]
    may_resume: bool
    note: str


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """A process of a role, or nobody, with so many partitions; `rate` is records a second, None at the first look."""

    role: str
    process: str
    is_nobody: bool
    partitions: int
    lag: int
    rate: float | None


@dataclass(frozen=True, slots=True)
class PartitionRow:
    """A partition that a group is behind on; `committed` is None before it ever processed something."""

    group: str
    topic: str
    partition: int
    committed: int | None
    end: int
    lag: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkersPage(ProjectPage):
    """The workers of the deployment and how far they are behind; `failure` says why that is not known."""

    template: ClassVar[str] = "workers.html"
    title: str = "Workers"
    workers: Sequence[WorkerRow]
    partitions: Sequence[PartitionRow]
    others: int
    lag: int
    failure: str
    missing: str | None


@dataclass(frozen=True, slots=True)
class DeadLetterRow:
    """A record that could not be processed: its place, where it was, which role refused it, and why."""

    place: str
    kind: str
    message: str
    field: str
    topic: str
    partition: int
    offset: int
    role: str
    failed_at: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLettersPage(ListPage):
    """Some of the newest dead-letters of each partition; `newest` says how many are looked at.

    `replay` is the address on which all that fit are put back; those that are chosen are on the spot. `note` says what
    came of it.
    """

    template: ClassVar[str] = "dead_letters.html"
    title: str = "Dead-letters"
    rows: Sequence[DeadLetterRow]
    newest: int
    replay: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class ReplayRow:
    """Dead-letters of which the same would come, or came: why not, where they are not put back."""

    kind: str
    topic: str
    role: str
    why_not: str
    letters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayPage(ListPage):
    """Dead-letters that are put back by a filter: how many are `ready`, and `seen`, the place that was looked up to.

    `ready` is None before any is asked for.
    """

    template: ClassVar[str] = "replay.html"
    title: str = "Put back"
    rows: Sequence[ReplayRow]
    ready: int | None = None
    seen: str = ""
    newest: int
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterPage(ProjectPage):
    """One of them, with its record's key, headers and first bytes; `size` is that of the whole, `cut` what was cut.

    `mend` is the address on which it is mended, None where it cannot be.
    """

    template: ClassVar[str] = "dead_letter.html"
    letter: DeadLetterRow
    key: str | None
    headers: Sequence[tuple[str, str | None]]
    value: str
    size: int
    cut: int
    may_replay: bool
    mend: str | None
    note: str


@dataclass(frozen=True, slots=True)
class ShownFieldChange:
    """A field that differs, as JSON; a side that does not have it is empty."""

    path: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MendPage(ProjectPage):
    """The value of a record as somebody corrects it; `changes` is None before it is checked."""

    template: ClassVar[str] = "mend.html"
    letter: DeadLetterRow
    path: str
    text: str
    lines: int
    force: bool
    changes: Sequence[ShownFieldChange] | None


@dataclass(frozen=True, slots=True)
class RecordRow:
    """A record of a topic: its place, the id in its key, and what it is; `wrong` says why it cannot be read.

    `path` is the address of the customer's page.
    """

    place: str
    at: datetime | None
    id: str
    kind: str
    size: int
    value: Mapping[str, Any] | None
    wrong: str
    path: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordsPage(ListPage):
    """Records of a topic, the newest first; of each partition the `newest` are looked at for a page.

    `follow` is the address of those that come behind the first page.
    """

    template: ClassVar[str] = "topics.html"
    title: str = "Topics"
    rows: Sequence[RecordRow]
    topic: str
    newest: int
    follow: str | None = None
