"""A template by its name, as a distribution takes it: what its files say, and where each part was written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Any

from schemas.errors import Problem
from schemas.names import did_you_mean
from schemas.template import LocalText, StoredTemplate


@dataclass(frozen=True, slots=True)
class TemplateFiles:
    """The files of one named template, as far as they exist; `wrong` says why it cannot be used.

    `files` are where its parts were written, by locale (empty for the default) and part (subject, text, html).
    `version` is there where the template is stored under its name, and not read from files.
    """

    text: str | None
    html: str | None
    locales: Mapping[str, LocalText] = field(default_factory=dict)
    wrong: str | None = None
    version: int | None = None
    files: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def template(self, name: str, subject: str) -> StoredTemplate:
        """As a distribution with this subject sends it; brand and footer are yet to come."""
        parts: dict[str, Any] = {"text": self.text, "html": self.html, "locales": dict(self.locales)}
        return StoredTemplate(name=name, subject=subject, version=self.version, **parts)

    def located(self, problem: Problem) -> Problem:
        """A problem with the file of the part that it is about, or the layout beside that."""
        part = problem.path.rpartition(".")[2]
        file = self.files.get((problem.variant, part), "")
        if problem.file:
            return replace(problem, file=str(PurePath(file).with_name(problem.file)))
        before = part == "subject" and file  # a line of ---
        return replace(problem, file=file, line=(problem.line or 1) + 1 if before else problem.line)


def named_template(
    name: str, beside: Mapping[str, TemplateFiles], stored: Mapping[str, TemplateFiles]
) -> TemplateFiles:
    """From the files beside a distribution, else from those stored. Raises ValueError; an unknown name is told both."""
    files = beside.get(name) or stored.get(name)
    if files is None:
        hint = did_you_mean(name, {**stored, **beside})
        known = (", ".join(sorted(names)) or "none" for names in (beside, stored))
        raise ValueError('no template "{}".{} In files beside it: {}. Stored: {}'.format(name, hint, *known))
    if files.wrong:
        raise ValueError(files.wrong)
    return files
