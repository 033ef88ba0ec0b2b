"""Pages that build a distribution, as records: all of them are views of one document, which their forms bring along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

from console.control.distribution_versions import DiffLine
from console.control.preview.offered import OfferedGroup
from console.web.project_pages import ProjectPage
from schemas.decision import Check


@dataclass(frozen=True, slots=True)
class Tab:
    """A view of the document: a step of the form, or its YAML."""

    step: str
    text: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class WrongLine:
    """One thing that is wrong: where, the path, why, and the line as it is written; empty where it is not of these."""

    where: str
    path: str
    message: str
    line: str


@dataclass(frozen=True, slots=True)
class ShownMeanwhile:
    """The version that somebody else has applied meanwhile, and how the text differs from it."""

    version: int
    applied_by: str
    applied_at: datetime
    changes: Sequence[str]
    lines: Sequence[DiffLine] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BuilderPage(ProjectPage):
    """The document, what it is to be a version of, and the ways to go on.

    `seen` is the version that it was begun with, 0 for a new one; `save_text` what saving it would be; `is_managed`
    where the page asks whether it is to be changed here although it is managed from Git.
    """

    action: str
    step: str
    tabs: Sequence[Tab]
    text: str
    seen: int
    status: str
    save_text: str
    note: str = ""
    meanwhile: ShownMeanwhile | None = None
    is_managed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BuilderTextPage(BuilderPage):
    """The document as YAML, with what is wrong with it; `plan` are the lines of applying it, None where nobody asked.

    `back` leads out of the builder.
    """

    template: ClassVar[str] = "builder_text.html"
    wrong: Sequence[WrongLine] = ()
    warnings: Sequence[str] = ()
    plan: Sequence[str] | None = None


FieldKind = Literal["text", "lines", "choice"]
CHOOSE = "choose one"
"""In the place of a value where one of the choices has to be taken."""
Takes = Literal["", "text", "html", "path"]
"""The form in which a field takes variables, if any: in a text, beside markup, or as a path alone."""


@dataclass(frozen=True, slots=True)
class FormField:
    """An input: its name, which is its id, what is in it, and what may be; `known` are offered to complete it.

    `path` is the place in the document that problems name. Of `choices`, `nothing` is the one without a value; without
    it one of them has to be chosen. `known_of` is a field that is offered the same.
    """

    name: str
    label: str
    value: str = ""
    hint: str = ""
    kind: FieldKind = "text"
    choices: Sequence[tuple[str, str]] = ()
    nothing: str = ""
    known: Sequence[str] = ()
    path: str = ""
    takes: Takes = ""
    known_of: str = ""


@dataclass(frozen=True, slots=True)
class Button:
    """A button of the form: what it does, what stands on it, and what is read aloud besides."""

    do: str
    text: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Output:
    """A message as it would be posted: the id of its place on the page, its parts, or why it is not there.

    `whose` says which profile counts. An e-mail is at the address of its `frame`.
    """

    name: str
    facts: Sequence[tuple[str, str]] = ()
    failure: str = ""
    whose: str = ""
    frame: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """Fields that stand together, those that are `more` behind a fold; `kept` is YAML that has no field.

    `is_row` where they stand side by side, in so many `columns`; `level` says how far they are set in; `remove` takes
    all of it out of the document. `needs_account` of this channel before it can be filled in. `rows` stand below it,
    beside the `output` that they make of the channel of that `number`.
    """

    legend: str
    fields: Sequence[FormField] = ()
    hint: str = ""
    more: Sequence[FormField] = ()
    kept: str = ""
    is_row: bool = False
    level: int = 0
    remove: Button | None = None
    buttons: Sequence[Button] = ()
    needs_account: str = ""
    columns: Literal[3, 4] = 3
    rows: Sequence[Section] = ()
    output: Output | None = None
    number: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BuilderFormPage(BuilderPage):
    """A step of the form; `variables` are what its texts may say, `event` what its output is made of, None of none."""

    template: ClassVar[str] = "builder_form.html"
    hint: str
    sections: Sequence[Section]
    variables: Sequence[OfferedGroup] = ()
    event: str | None = None
    event_note: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """A place of the document as the form has it: its step, the id of its field there, if any, and both in words."""

    step: str
    field: str
    words: str


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing that is wrong, the step that mends it, and the id of its field there, if any."""

    step: str
    text: str
    field: str = ""


@dataclass(frozen=True, slots=True)
class BackfillChoice:
    """One way to go to those who are in the segment already, and to how many."""

    who: str
    text: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Tried:
    """The answer to an event, the verdict of each condition, what would come of it, and which profile counted."""

    answer: str
    checks: Sequence[Check]
    decisions: Sequence[str]
    whose: str = ""


@dataclass(frozen=True, slots=True)
class ShownCame:
    """A way in which messages or events of the last week would have ended, why, and how many."""

    outcome: str
    why: str
    number: int


@dataclass(frozen=True, slots=True)
class ShownWeek:
    """Of the events of the last week: what they would have caused, in a sentence and by how it ends."""

    text: str
    came: Sequence[ShownCame] = ()


@dataclass(frozen=True, slots=True)
class ShownFinding:
    """One thing that a preflight found, what it means, what was seen, what would be right, and of how many.

    `place` is where the form has it; where it has no field for it, the `pointer` into the document says so.
    """

    severity: str
    means: str
    reason: str
    right: str
    pointer: str
    counted: str
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class ShownPreflight:
    """All that a preflight found."""

    text: str
    findings: Sequence[ShownFinding]
    is_clear: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class BuilderSummaryPage(BuilderPage):
    """All that the document says and would do; without what is `wrong`, it `is_ready`.

    `late` says that somebody else has changed it; `event` is what it is tried on; `send_path` is where one that is
    started by hand is sent.
    """

    template: ClassVar[str] = "builder_summary.html"
    canonical: str
    may_set_live: bool
    may_test: bool
    event: str
    send_path: str = ""
    event_note: str = ""
    late: str = ""
    wrong: Sequence[Wrong] = ()
    is_ready: bool = False
    is_by_hand: bool = False
    sentences: Sequence[str] = ()
    plan: Sequence[str] = ()
    warnings: Sequence[str] = ()
    backfills: Sequence[BackfillChoice] = ()
    tried: Tried | None = None
    week: ShownWeek | None = None
    preflight: ShownPreflight | None = None


BUILDER_PAGES: tuple[type[BuilderPage], ...] = (BuilderTextPage, BuilderFormPage, BuilderSummaryPage)
