"""Pages of sends by hand, as records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from console.web.project_lists import ListPage
from console.web.project_pages import ProjectPage


@dataclass(frozen=True, slots=True)
class SendListRow:
    """A send in the list: to how many, and how many of their events are `out`; `waits_for` is why it does not go on."""

    send: str
    distribution: str
    distribution_path: str
    status: str
    to: str
    backfill: str
    audience: int
    out: int
    starts_at: datetime | None
    waits_for: str
    created_by: str
    created_at: datetime
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SendsPage(ListPage):
    """Sends and backfills of a project, the newest first."""

    template: ClassVar[str] = "sends.html"
    title: str = "Sends"
    rows: Sequence[SendListRow]
    may_write: bool
    note: str


def send_form() -> Mapping[str, str]:
    """The form of a new send as it is at first."""
    return {
        "distribution": "", "customers": "", "segment": "", "when": "hold", "at": "", "hold": "", "restart": "",
        "key": "",
    }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSendPage(ProjectPage):
    """The form of a new send; of `distributions` and `segments` some are offered, others may be written."""

    template: ClassVar[str] = "new_send.html"
    title: str = "Send by hand"
    path: str
    distributions: Sequence[tuple[str, str]]
    segments: Sequence[tuple[str, str]]
    times: Sequence[tuple[str, str]]
    given: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ShownAct:
    """Something that somebody did to a send."""

    at: datetime
    action: str
    actor: str
    detail: str


@dataclass(frozen=True, slots=True)
class ShownConsent:
    """The approval of a send: `content` is what would be approved; `is_ours` where one wrote it oneself.

    `changes` are those since it was approved, so that it does not count any more.
    """

    above: int
    is_needed: bool
    is_given: bool
    content: str
    audience: int
    approved_by: str | None
    approved_at: datetime | None
    changes: Sequence[str]
    is_ours: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SendPage(ProjectPage):
    """One send: what it is, how far it is, and what one may do to it (`acts`).

    `moments` are sentences about when it begins; `parts` the deliveries by what became of them, each with its number.
    """

    template: ClassVar[str] = "send.html"
    path: str
    send: str
    status: str
    distribution: str
    distribution_path: str
    to: str
    to_path: str | None
    audience: int
    is_complete: bool
    out: int
    width: float
    revision: int
    moments: Sequence[str]
    parts: Sequence[tuple[str, str, int]]
    messages_path: str
    actions: Sequence[ShownAct]
    approval: ShownConsent | None
    acts: frozenset[str]
    segments: Sequence[tuple[str, str]]
    times: Sequence[tuple[str, str]]
    note: str
    given: Mapping[str, str] = field(default_factory=send_form)
