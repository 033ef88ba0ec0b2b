"""Pages of a project, as records: what stands around each, and what is on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import ClassVar

from console.web.pages import Page
from schemas.access import Permission

NAVIGATION: tuple[tuple[str, str, Permission], ...] = (("/distributions", "Distributions", "distributions:read"),)
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
    path: str


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


PROJECT_PAGES: tuple[type[ProjectPage], ...] = (ProjectMessagePage, DistributionsPage)
