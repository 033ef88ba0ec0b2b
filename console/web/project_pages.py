"""Pages of a project, as records: what stands around each, and what is on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import ClassVar, Literal

from console.control.distribution_versions import DiffLine
from console.web.chart import Chart
from console.web.pages import Page
from schemas.access import Permission
from schemas.decision import Check

NAVIGATION: tuple[tuple[str, str, Permission], ...] = (
    ("/distributions", "Distributions", "distributions:read"),
    ("/messages", "Messages", "deliveries:read"),
    ("/sends", "Sends", "sends:read"),
    ("/customers", "Customers", "customers:read"),
    ("/segments", "Segments", "segments:read"),
    ("/campaigns", "Campaigns", "campaigns:read"),
    ("/imports", "Imports", "imports:read"),
    ("/templates", "Templates", "templates:read"),
    ("/suppressions", "Suppressions", "suppressions:read"),
    ("/notices", "Notices", "notices:read"),
    ("/destinations", "Destinations", "destinations:read"),
    ("/dead-letters", "Dead-letters", "dead_letters:read"),
    ("/topics", "Topics", "customers:export"),
    ("/workers", "Workers", "operations:read"),
    ("/accounts", "Accounts", "accounts:read"),
    ("/brand", "Brand", "project:write"),
    ("/users", "Users", "users:manage"),
    ("/keys", "Keys", "keys:manage"),
    ("/audit", "Audit log", "audit:read"),
    ("/settings", "Settings", "project:read"),
)
"""The column of a project: below its address, the text, and the permission of the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectPage(Page):
    """The parts that every page of a project has; `projects` are all that the user is in, `zone` is the project's,
    and `granted` are the permissions of their role. `people` are names of its users, by what the audit log calls them.
    `live` is the address of what changes on it."""

    project: str
    projects: Sequence[str]
    navigation: Sequence[tuple[str, str]]
    now: datetime
    zone: tzinfo
    granted: frozenset[Permission] = frozenset()
    people: Mapping[str, str] = field(default_factory=dict)
    live: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectMessagePage(ProjectPage):
    """A sentence."""

    template: ClassVar[str] = "project_message.html"
    text: str


@dataclass(frozen=True, slots=True)
class LetterStep:
    """Something that happened, in one word and in a sentence; `delivery` is the message that it is about.

    `path` is the address of that message.
    """

    at: datetime
    word: str
    text: str
    delivery: str | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True)
class Letter:
    """An event, the tests of a distribution that decided, and what came of it."""

    at: datetime
    event_type: str
    event_id: str
    distribution: str
    path: str
    version: int
    checks: Sequence[Check]
    steps: Sequence[LetterStep]


@dataclass(frozen=True, slots=True)
class ShownHold:
    """A message that waits; without `until` until its distribution goes on."""

    distribution: str
    path: str
    reason: str
    until: datetime | None
    since: datetime


@dataclass(frozen=True, slots=True)
class ShownSegment:
    """A segment that the customer is in since then, or the reason why it cannot judge them."""

    segment: str
    since: datetime | None
    cannot_judge: str | None


@dataclass(frozen=True, slots=True)
class ShownProfile:
    """A profile as it came last: what is written about in words, and all of it as JSON."""

    facts: Sequence[tuple[str, str]]
    json: str


@dataclass(frozen=True, slots=True)
class FoundRow:
    """A customer that a search found; the texts of the profile are empty where it has none."""

    customer: str
    path: str
    name: str
    email: str
    phone: str
    source_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomersPage(ProjectPage):
    """The form to find a customer, and those that a search found: None before the first one."""

    template: ClassVar[str] = "customers.html"
    sought: str = ""
    found: Sequence[FoundRow] | None = None
    more: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerPage(ProjectPage):
    """A customer, and what was decided about them; `profile` is None where none is kept."""

    template: ClassVar[str] = "customer.html"
    customer: str
    distribution: str = ""
    profile: ShownProfile | None = None
    letters: Sequence[Letter] = ()
    holds: Sequence[ShownHold] = ()
    segments: Sequence[ShownSegment] = ()
    choices: Sequence[str] = ()
    first: str | None = None
    next: str | None = None
    missing: str | None = None


@dataclass(frozen=True, slots=True)
class ShownStep:
    """A step of a funnel: the messages that came so far, and in words what they are a share of, and what changed.

    `width` is that of its bar, in hundredths of the widest one.
    """

    name: str
    text: str
    records: int
    before: int
    share: str
    change: str
    width: float
    path: str | None


@dataclass(frozen=True, slots=True)
class ShownReason:
    """Messages that did not come so far, and why; `path` is their list.

    `resend` is where they are sent again, None where they cannot be, or not by whoever looks.
    """

    word: str
    text: str
    records: int
    path: str
    resend: str | None = None


@dataclass(frozen=True, slots=True)
class ShownVersion:
    """A version in the list; `path` shows what it changed."""

    version: int
    status: str
    applied_by: str
    applied_at: datetime
    path: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class ShownChange:
    """The change of a version, in sentences and in lines; `lines` is None where there are too many to compare."""

    version: int
    before: int | None
    sentences: Sequence[str]
    lines: Sequence[DiffLine] | None


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several addresses of a page."""

    text: str
    path: str
    is_chosen: bool


ActName = Literal["pause", "resume", "stop", "archive", "restore", "delete"]
"""A step of a distribution's life that a button takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DistributionPage(ProjectPage):
    """One distribution: what it does, how far its messages came in a range of time, and its versions.

    `yaml` is that of the version which `change` is about. `path` is without parameters, one of which is the id where
    `names_id` says so. `acts` are the steps of its life that can be taken now, `at_once` says who gets it where it goes
    on; `is_managed`: one was refused, since it is managed from Git.
    """

    template: ClassVar[str] = "distribution.html"
    path: str
    names_id: bool
    distribution: str
    status: str
    version: int
    applied_by: str
    applied_at: datetime
    sentences: Sequence[str]
    periods: Sequence[Choice]
    since: str
    until: str
    range_since: datetime
    range_until: datetime
    steps: Sequence[ShownStep]
    chart: Chart
    reasons: Sequence[ShownReason]
    versions: Sequence[ShownVersion]
    older: str | None
    change: ShownChange
    yaml: str
    missing: str | None
    note: str
    acts: Sequence[tuple[ActName, str]]
    at_once: str | None
    is_managed: bool


@dataclass(frozen=True, slots=True)
class ChainLink:
    """One of the ids that lead from an event to its message at a provider; without `id` it is not known."""

    name: str
    id: str | None
    text: str
    path: str | None = None


@dataclass(frozen=True, slots=True)
class ShownAttempt:
    """An attempt at a message."""

    number: int
    at: datetime
    outcome: str
    text: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class ShownContent:
    """The content of a message, by the names of its parts; or `failure`, why it cannot be made once more."""

    template: str | None
    version: int | None
    facts: Sequence[tuple[str, str]]
    failure: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SentMessagePage(ProjectPage):
    """One message; `content` is None where it is not shown, which `content_note` explains then."""

    template: ClassVar[str] = "sent_message.html"
    title: str = "Message"
    delivery: str
    word: str
    text: str
    sentences: Sequence[str]
    chain: Sequence[ChainLink]
    attempts: Sequence[ShownAttempt]
    letters: Sequence[Letter]
    content: ShownContent | None
    content_note: str
    missing: str | None


@dataclass(frozen=True, slots=True)
class ShownFirstStep:
    """A step to the first message: `done`, `next` or `open`; the page that does it, or what it waits for."""

    title: str
    text: str
    state: str
    path: str | None
    link: str
    command: str
    waits_for: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstStepsPage(ProjectPage):
    """The way to a project's first message; `done` are as many steps."""

    template: ClassVar[str] = "first_steps.html"
    title: str = "Start here"
    steps: Sequence[ShownFirstStep]
    done: int
    messages_path: str | None


PROJECT_PAGES: tuple[type[ProjectPage], ...] = (
    ProjectMessagePage, DistributionPage, CustomersPage, CustomerPage, SentMessagePage, FirstStepsPage,
)  # fmt: skip
