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

    `nothing` are the words for none of the choices, `hint` is an example of what may be written.
    """

    name: str
    label: str
    value: str
    choices: Sequence[tuple[str, str]] = ()
    nothing: str = "any"
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage(ProjectPage):
    """A table with its filters; `this`, `first` and `next` are addresses of pages, the tables those of its files.

    It is left out where it has not any row, unless it is one that `keeps_table`.
    """

    filters: Sequence[Filter]
    is_filtered: bool
    is_first: bool
    this: str
    first: str
    next: str | None
    table_json: str
    table_csv: str
    keeps_table: bool = False


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
class DistributionsPage(ListPage):
    """The distributions of a project; `missing` says what is not counted yet, `deleted` which one was deleted.

    `is_new`: there are some, and no message has left yet.
    """

    template: ClassVar[str] = "distributions.html"
    title: str = "Distributions"
    rows: Sequence[DistributionRow]
    missing: str | None = None
    is_new: bool = False
    deleted: str = ""


@dataclass(frozen=True, slots=True)
class MessageRow:
    """A message in a list, or one that did not come about: then it has neither an id nor an address."""

    at: datetime
    word: str
    text: str
    distribution: str
    distribution_path: str
    customer: str
    customer_path: str
    delivery: str | None
    path: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagesPage(ListPage):
    """Messages of a project, or decisions; `caption` says which, `missing` what is not recorded yet.

    `resend` is where they are sent again, None where they cannot be, or not by whoever looks.
    """

    template: ClassVar[str] = "messages.html"
    title: str = "Messages"
    rows: Sequence[MessageRow]
    caption: str = ""
    missing: str | None = None
    resend: str | None = None


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
