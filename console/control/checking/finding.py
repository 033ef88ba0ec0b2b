"""Findings: things that are wrong, or worth a look, when documents are held against a recording."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from console.control.documents import Document
from schemas.errors import Problem

FindingKind = Literal[
    "invalid",
    "recording",
    "unknown_field",
    "unknown_segment",
    "field_gone",
    "kind_changed",
    "rule_error",
    "no_match",
    "unknown_memberships",
    "no_events",
    "branch",
    "branch_not_reached",
]
"""The word that programs tell findings apart by."""

WARNINGS: frozenset[FindingKind] = frozenset(
    {"no_events", "branch_not_reached", "unknown_segment", "unknown_memberships"}
)
"""Findings that say that too little is known: they fail no run."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing, at a file and line."""

    kind: FindingKind
    place: str
    message: str

    @property
    def is_problem(self) -> bool:
        """True for what fails a run."""
        return self.kind not in WARNINGS


def found_in(document: Document, kind: FindingKind, problem: Problem) -> Finding:
    """A problem of a document, with its file and line."""
    located = document.located(problem)
    return Finding(kind, located.path, located.message)


def invalid(problems: Iterable[Problem]) -> list[Finding]:
    """Problems that have their places already."""
    return [Finding("invalid", one.path, one.message) for one in problems]
