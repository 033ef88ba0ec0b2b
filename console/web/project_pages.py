"""Pages of a project, as records: what stands around each, and what is on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import ClassVar

from console.web.pages import Page
from schemas.access import Permission
from schemas.decision import Check

NAVIGATION: tuple[tuple[str, str, Permission], ...] = (
    ("/distributions", "Distributions", "distributions:read"),
    ("/customers", "Customers", "customers:read"),
)
"""The column of a project: below its address, the text, and the permission of the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectPage(Page):
    """The parts that every page of a project has; `projects` are all that the user is in, `zone` is the project's."""

    project: str
    projects: Sequence[str]
    navigation: Sequence[tuple[str, str]]
    now: datetime
    zone: tzinfo


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectMessagePage(ProjectPage):
    """A sentence."""

    template: ClassVar[str] = "project_message.html"
    text: str


@dataclass(frozen=True, slots=True)
class DistributionRow:
    """A distribution in the list; its numbers are those of the last 24 hours."""

    id: str
    name: str
    status: str
    trigger: str
    channels: Sequence[str]
    sent: int
    held: int
    skipped: int
    failed: int
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DistributionsPage(ProjectPage):
    """The distributions of a project; `next` is the address of the next page, `missing` what is not counted yet."""

    template: ClassVar[str] = "distributions.html"
    title: str = "Distributions"
    rows: Sequence[DistributionRow]
    text: str
    status: str
    statuses: Sequence[str]
    is_first: bool
    next: str | None
    table_json: str
    table_csv: str
    missing: str | None


@dataclass(frozen=True, slots=True)
class LetterStep:
    """Something that happened, in one word and in a sentence; `delivery` is the message that it is about."""

    at: datetime
    word: str
    text: str
    delivery: str | None = None


@dataclass(frozen=True, slots=True)
class Letter:
    """An event, the tests of a distribution that decided, and what came of it."""

    at: datetime
    event_type: str
    event_id: str
    distribution: str
    version: int
    checks: Sequence[Check]
    steps: Sequence[LetterStep]


@dataclass(frozen=True, slots=True)
class ShownHold:
    """A message that waits; without `until` until its distribution goes on."""

    distribution: str
    reason: str
    until: datetime | None
    since: datetime


@dataclass(frozen=True, slots=True)
class ShownSegment:
    """A segment that the customer is in since then, or the reason why it cannot judge them."""

    segment: str
    since: datetime | None
    cannot_judge: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerPage(ProjectPage):
    """A customer, and what was decided about them; without `customer` the form to find one."""

    template: ClassVar[str] = "customer.html"
    customer: str = ""
    distribution: str = ""
    letters: Sequence[Letter] = ()
    holds: Sequence[ShownHold] = ()
    segments: Sequence[ShownSegment] = ()
    choices: Sequence[str] = ()
    first: str | None = None
    next: str | None = None
    missing: str | None = None


PROJECT_PAGES: tuple[type[ProjectPage], ...] = (ProjectMessagePage, DistributionsPage, CustomerPage)
