"""The document that a form of the builder brings along, and what is to become of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from console.control import drafts
from console.control.context import ProjectContext, whole_project
from console.control.document_edit import with_values
from console.control.drafts import Draft, PlannedDraft
from console.web.builder.payload import Entry
from console.web.builder.records import ShownMeanwhile, Tab
from console.web.builder.steps import LABELS
from console.web.pages import FieldProblem
from console.web.projects import ProjectVisit, base_of, distribution_path
from schemas.distribution import Distribution

MOST_BYTES, MOST_FIELDS = 512 * 1024, 5_000


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of the builder: the draft, the step that its form was, what its button says, and its fields.

    `before` is the newest version of what is edited, None for a new one. `unwritten` are rows of a form that the
    document cannot say, by the name of their fields, and `wrong` why.
    """

    mine: ProjectVisit
    project: ProjectContext
    draft: Draft
    before: Distribution | None
    step: str
    do: str = ""
    form: Mapping[str, str] = field(default_factory=dict)
    unwritten: Mapping[str, Mapping[int, Entry]] = field(default_factory=dict)
    wrong: tuple[FieldProblem, ...] = ()

    @property
    def values(self) -> dict[str, Any]:
        """The values of the document; empty where it cannot be read."""
        return drafts.values(self.draft.text)

    def at(self, step: str) -> Asked:
        """The same at another step."""
        return replace(self, step=step)

    def changed(self, changes: Mapping[str, Any]) -> Asked:
        """The same with other values under some keys of the document."""
        if not changes:
            return self
        return replace(self, draft=replace(self.draft, text=with_values(self.draft.text, changes, drafts.ORDER)))

    async def plan(self, *, asks_providers: bool = False) -> PlannedDraft:
        """See `drafts.plan`."""
        mine = self.mine
        return await drafts.plan(
            mine.pool, mine.wiring.settings, self.project, self.draft, mine.now, asks_providers=asks_providers
        )

    def frame(
        self, problems: tuple[FieldProblem, ...] = (), note: str = "", meanwhile: ShownMeanwhile | None = None
    ) -> dict[str, Any]:
        """The fields that all pages of the builder have."""
        return {
            "title": "New distribution" if self.before is None else f"Edit {self.before.id}",
            "here": f"{base_of(self.mine.project_id)}/distributions",
            "problems": problems,
            "action": action_of(self),
            "step": self.step,
            "tabs": [Tab(step, text, step == self.step) for step, text in LABELS.items()],
            "text": self.draft.text,
            "seen": self.draft.seen,
            "status": "" if self.before is None else self.before.status,
            "save_text": "Save as draft" if self.is_draft else f"Save as version {self.draft.seen + 1}",
            "note": note,
            "meanwhile": meanwhile,
            **self.mine.frame,
        }

    @property
    def is_draft(self) -> bool:
        """True of what nothing is sent by yet: saving it sends nothing either."""
        return self.before is None or self.before.status == "DRAFT"


async def begun(mine: ProjectVisit, draft: Draft, before: Distribution | None, step: str) -> Asked:
    """The builder as it is opened. Raises TryLater."""
    return Asked(mine, await whole_project(mine.pool, mine.wiring.settings, mine.project_id), draft, before, step)


def text_of(given: str) -> str:
    """The text of a form, whose lines browsers end in their own way."""
    return given.replace("\r\n", "\n")


def action_of(asked: Asked) -> str:
    """The address of its forms."""
    if asked.before is None:
        return f"{base_of(asked.mine.project_id)}/distributions/new"
    return edit_path(asked.mine.project_id, asked.before.id)


def edit_path(project_id: str, identity: str) -> str:
    """The address at which a distribution is edited."""
    path, _, query = distribution_path(project_id, identity).partition("?")
    return f"{path}/edit" + (f"?{query}" if query else "")
