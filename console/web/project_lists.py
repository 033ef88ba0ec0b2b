"""Pages of a project that are lists, as records: the rows of each, and what stands around them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from console.web.project_pages import ProjectPage


@dataclass(frozen=True, slots=True)
class Filter:
    """A field of a list's form and what stands in it; without `choices` any text may be written.

    `nothing` are the words for none of the choices.
    """

    name: str
    label: str
    value: str
    choices: Sequence[tuple[str, str]] = ()
    nothing: str = "any"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage(ProjectPage):
    """A table with its filters; `this`, `first` and `next` are addresses of pages, the tables those of its files."""

    filters: Sequence[Filter]
    is_filtered: bool
    is_first: bool
    this: str
    first: str
    next: str | None
    table_json: str
    table_csv: str


@dataclass(frozen=True, slots=True)
class AuditedRow:
    """A change: who did what to which thing. `change` is what differs, as JSON; `path` is the address of the thing."""

    position: int
    at: datetime
    actor: str
    action: str
    thing: str
    version: int | None
    change: Any
    request_id: str | None
    key_id: str | None
    address: str | None
    hash: str
    path: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditPage(ListPage):
    """The audit log, the newest first."""

    template: ClassVar[str] = "audit.html"
    title: str = "Audit log"
    rows: Sequence[AuditedRow]


@dataclass(frozen=True, slots=True)
class SuppressedRow:
    """An entry of the suppression list."""

    key: str
    channel: str
    reason: str
    source: str
    expires_at: datetime | None
    added_at: datetime
    added_by: str


@dataclass(frozen=True, slots=True)
class Covering:
    """The entries that cover a key; `is_listed` where it has one itself, `own` are the channels of such."""

    key: str
    entries: Sequence[SuppressedRow]
    is_listed: bool
    own: Sequence[str]


def suppression_form() -> Mapping[str, str]:
    """The form to add to the list as it is at first."""
    return {"keys": "", "on": "", "why": "requested", "source": "", "until": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressionsPage(ListPage):
    """The suppression list; `given` is what the form to add to it says, `covering` what somebody sought."""

    template: ClassVar[str] = "suppressions.html"
    title: str = "Suppressions"
    rows: Sequence[SuppressedRow]
    may_write: bool
    channels: Sequence[tuple[str, str]]
    reasons: Sequence[tuple[str, str]]
    note: str
    given: Mapping[str, str] = field(default_factory=suppression_form)
    covering: Covering | None = None
