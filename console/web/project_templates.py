"""Pages on which templates are edited, looked at and tried, as records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from console.control.distribution_versions import DiffLine
from console.control.preview.offered import OfferedGroup
from console.web.pages import Page
from console.web.project_pages import ProjectPage

View = Literal["", "phone", "desktop", "text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PanePage(Page):
    """A message as it would look, for a frame: without a navigation, and nothing in it can do anything.

    `failure` says why it cannot be made; `facts` are its subject and what else is known of it. `view` is the one way to
    see it that is wanted, empty for all of them.
    """

    template: ClassVar[str] = "pane.html"
    facts: Sequence[tuple[str, str]] = ()
    html: str | None = None
    text: str = ""
    failure: str = ""
    view: View = ""


@dataclass(frozen=True, slots=True)
class EditedFile:
    """A file of a template in a form: the number of its fields, and how many lines it has."""

    number: int
    name: str
    text: str
    lines: int


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """The version that somebody else stored while it was edited, and how what is written here differs from it.

    `lines` is None where there are too many to compare.
    """

    version: int
    by: str
    files: Sequence[tuple[str, Sequence[DiffLine] | None]]


def occasion_form() -> Mapping[str, str]:
    """The choices of what a message is shown on, as they are at first."""
    return {"trigger": "", "customer": "", "message": "", "locale": "", "bare": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateEditPage(ProjectPage):
    """A template's files in a form, beside how they look.

    `version` is the one that was newest when they were read; `frame` is the address of how it looks as it is stored.
    """

    template: ClassVar[str] = "template_edit.html"
    path: str
    back: str
    name: str
    version: int
    files: Sequence[EditedFile]
    frame: str
    triggers: Sequence[tuple[str, str]]
    locales: Sequence[str]
    variables: Sequence[OfferedGroup]
    occasion: Mapping[str, str]
    meanwhile: Meanwhile | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class CardField:
    """A field of a card: the id of its input, its label, what stands in it, and how many lines it has."""

    id: str
    label: str
    value: str
    rows: int = 1


@dataclass(frozen=True, slots=True)
class ShownCard:
    """A section of an e-mail as a card."""

    number: int
    label: str
    fields: Sequence[CardField]
    is_moved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionsPage(ProjectPage):
    """The sections of one of a template's files as cards, beside how they look; `state` is that file, in base64."""

    template: ClassVar[str] = "sections.html"
    path: str
    back: str
    name: str
    version: int
    file: str
    others: Sequence[tuple[str, str]]
    state: str
    cards: Sequence[ShownCard]
    kinds: Sequence[tuple[str, str]]
    frame: str
    variables: Sequence[OfferedGroup]
    changed: bool
    meanwhile: Meanwhile | None = None
    note: str = ""


def new_template_form() -> Mapping[str, str]:
    """The form of a new template as it is at first."""
    return {"name": "", "design": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTemplatePage(ProjectPage):
    """The form of a new template: its name, and the design that it begins with."""

    template: ClassVar[str] = "new_template.html"
    title: str = "New template"
    path: str
    designs: Sequence[tuple[str, str]]
    given: Mapping[str, str] = field(default_factory=new_template_form)


@dataclass(frozen=True, slots=True)
class ShownMessage:
    """A message of a distribution: `frame` is where an e-mail is shown, `facts` are what another one is.

    `failure` says what is in its way.
    """

    channel: str
    facts: Sequence[tuple[str, str]]
    frame: str
    failure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewPage(ProjectPage):
    """The messages of a distribution on an event, as senders would make them, and a form to send one as a test.

    `whose` says which profile counts.
    """

    template: ClassVar[str] = "preview.html"
    path: str
    distribution: str
    distribution_path: str
    version: int
    arms: Sequence[str]
    channels: Sequence[str]
    asked: Mapping[str, str]
    messages: Sequence[ShownMessage]
    withheld: str
    notes: Sequence[str]
    may_test: bool
    whose: str = ""
    note: str = ""
    to: str = ""
