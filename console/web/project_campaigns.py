"""Pages of campaigns, codes and imports, as records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from console.web.project_lists import ListPage
from console.web.project_pages import ProjectPage


@dataclass(frozen=True, slots=True)
class CampaignRow:
    """A campaign in the list; `left` are the codes that can still be given, None where it gives none."""

    id: str
    name: str
    kind: str
    type: str
    state: str
    left: int | None
    is_low: bool
    starts_at: datetime | None
    ends_at: datetime | None
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignsPage(ListPage):
    """The campaigns of a project."""

    template: ClassVar[str] = "campaigns.html"
    title: str = "Campaigns"
    rows: Sequence[CampaignRow]


@dataclass(frozen=True, slots=True)
class ShownCodes:
    """The codes of a campaign, counted; `capacity` is what its pattern can give, None without one."""

    total: int
    free: int
    published: int
    inactive: int
    expired: int
    left: int
    low_water: int
    capacity: int | None
    is_low: bool


@dataclass(frozen=True, slots=True)
class ShownImportProblem:
    """A thing that is wrong in a file, and its line."""

    line: int | None
    text: str


@dataclass(frozen=True, slots=True)
class ImportRow:
    """A file of codes or customers, and how far it is; `share` is that in words, `is_open` while it goes on."""

    id: str
    kind: str
    campaign: str | None
    campaign_path: str | None
    state: str
    share: str
    rows: int
    rows_read: int
    added: int
    there_already: int
    wrong: int
    problems: Sequence[ShownImportProblem]
    why: str
    by: str
    at: datetime
    ended_at: datetime | None
    is_open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignPage(ProjectPage):
    """One campaign, its codes, the newest `imports` of them, and its document.

    `may_make` where codes can be made of its pattern by who looks.
    """

    template: ClassVar[str] = "campaign.html"
    path: str
    campaign: str
    status: str
    version: int
    sentences: Sequence[str]
    codes: ShownCodes | None
    imports: Sequence[ImportRow]
    may_cancel: bool
    may_make: bool
    most_made: int
    count: str
    note: str
    document: str


def import_form() -> Mapping[str, str]:
    """The form of a file as it is at first."""
    return {"campaign": "", "as_written": "", "skip_wrong": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewImportPage(ProjectPage):
    """The form in which a file of codes or customers is handed in; `columns` says which it may have."""

    template: ClassVar[str] = "new_import.html"
    path: str
    kind: str
    columns: str
    campaigns: Sequence[tuple[str, str]]
    most: int
    given: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportsPage(ListPage):
    """Files that were handed in, the newest first; `hands_in` are the kinds that one may hand in."""

    template: ClassVar[str] = "imports.html"
    title: str = "Imports"
    rows: Sequence[ImportRow]
    may_cancel: bool
    hands_in: Sequence[str]
    note: str
