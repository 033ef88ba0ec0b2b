"""A template by its name, as a distribution takes it: what its files say, and where each part was written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import Any

import msgspec

from schemas.errors import Problem
from schemas.names import did_you_mean
from schemas.template import LocalText, StoredTemplate


@dataclass(frozen=True, slots=True)
class TemplateFiles:
    """The files of one named template, as far as they exist; `wrong` says why it cannot be used.

    `files` are where its parts were written, by locale (empty for the default) and part (subject, text, html).
    `version` is there where the template is stored under its name, and not read from files. `subject` is for
    distributions that write none; `is_shared`: the template is the product's, so that a subject which is written counts
    in every locale.
    """

    text: str | None
    html: str | None
    locales: Mapping[str, LocalText] = field(default_factory=dict)
    wrong: str | None = None
    version: int | None = None
    files: Mapping[tuple[str, str], str] = field(default_factory=dict)
    subject: str | None = None
    is_shared: bool = False

    def template(self, name: str, subject: str | None) -> StoredTemplate:
        """As a distribution with this subject, or with none, sends it; brand and footer are yet to come."""
        locales = dict(self.locales)
        if subject and self.is_shared:
            locales = {tag: msgspec.structs.replace(local, subject=None) for tag, local in locales.items()}
        parts: dict[str, Any] = {"text": self.text, "html": self.html, "locales": locales}
        return StoredTemplate(name=name, subject=subject or self.subject or "", version=self.version, **parts)

    def located(self, problem: Problem) -> Problem:
        """A problem with the file of the part that it is about, or the layout beside that."""
        part = problem.path.rpartition(".")[2]
        file = self.files.get((problem.variant, part), "")
        if problem.file:
            return replace(problem, file=str(PurePath(file).with_name(problem.file)))
        before = part == "subject" and file  # a line of ---
        return replace(problem, file=file, line=(problem.line or 1) + 1 if before else problem.line)


_NO_FILES: Mapping[str, TemplateFiles] = {}


def named_template(
    name: str,
    beside: Mapping[str, TemplateFiles],
    stored: Mapping[str, TemplateFiles],
    shipped: Mapping[str, TemplateFiles] = _NO_FILES,
) -> TemplateFiles:
    """From the files beside a distribution, else from those stored, else the product's own.

    Raises ValueError; an unknown name is told the first two.
    """
    files = beside.get(name) or stored.get(name) or shipped.get(name)
    if files is None:
        hint = did_you_mean(name, [*shipped, *stored, *beside])
        known = (", ".join(sorted(names)) or "none" for names in (beside, stored))
        raise ValueError('no template "{}".{} In files beside it: {}. Stored: {}'.format(name, hint, *known))
    if files.wrong:
        raise ValueError(files.wrong)
    return files
