"""The plan of applying documents, whichever they are: all checked, and each beside what is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Literal, Protocol, TypeVar

import msgspec

from console.control.documents import Document
from schemas.campaign import moment_text
from schemas.errors import DefinitionInvalid, Problem

_UNCOMPARED = ("version", "created_at", "updated_at")
_LONGEST = 60

Kind = Literal["distribution", "campaign", "segment", "template", "project"]
"""Nouns that are defined by documents; in one, the key of its id has the same name."""

What = Literal["new", "changed", "unchanged"]
"""The fate of a definition."""

Wordings = Mapping[str, Callable[[Any, Any], str]]
"""By field, how the difference between two of its values reads; nothing where there is none that matters."""


class Definition(Protocol):
    """One version of what a document defines."""

    @property
    def id(self) -> str:
        """Stays the same."""

    @property
    def version(self) -> int:
        """Counts from 1."""


_ALIKE: Wordings = {}

V = TypeVar("V", bound=Definition)
C_co = TypeVar("C_co", covariant=True)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Planned(Generic[C_co]):
    """A change and how it reads. `version` is the one that there is afterwards."""

    what: What
    kind: Kind
    identity: str
    version: int
    change: C_co
    lines: tuple[str, ...]

    @property
    def beside(self) -> int:
        """The version that it was planned beside; 0 where there was none, or it is deleted."""
        return 0 if self.what == "new" else self.version - (self.what == "changed")


def check_documents(
    documents: Iterable[Document], kind: str, read: Callable[[Document], T], identity: Callable[[T], str]
) -> list[tuple[Document, T]]:
    """Every document, read and checked. Raises DefinitionInvalid with all problems, each with its line."""
    problems: list[Problem] = []
    checked: list[tuple[Document, T]] = []
    first: dict[str, Document] = {}
    for document in documents:
        try:
            one = read(document)
        except DefinitionInvalid as error:
            problems += [document.located(problem) for problem in error.problems]
            continue
        before = first.setdefault(identity(one), document)
        if before is not document:
            reason = f"{kind} {identity(one)} stands in {before.place}:{before.line(kind)} already"
            problems.append(document.located(Problem(kind, reason)))
        checked.append((document, one))
    if problems:
        raise DefinitionInvalid(tuple(problems))
    return checked


def planned(
    kind: Kind,
    before: V | None,
    after: V,
    change: T,
    *,
    new: str,
    wordings: Wordings = _ALIKE,
    besides: tuple[str, ...] = (),
) -> Planned[T]:
    """A change beside what is there. `new` is its line where nothing is, `besides` are those that no field shows."""
    lines = (new,) if before is None else (*besides, *differences(before, after, wordings))
    what: What = "new" if before is None else "changed" if lines else "unchanged"
    version = before.version if before is not None and not lines else after.version
    return Planned(what, kind, after.id, version, change, lines)


def changes(plan: Iterable[Planned[T]]) -> list[T]:
    """The changes that there are to save."""
    return [one.change for one in plan if one.what != "unchanged"]


def differences(before: Any, after: Any, wordings: Wordings) -> tuple[str, ...]:
    """A line for each field in which two versions differ."""
    fields = [(name, getattr(before, name), getattr(after, name)) for name in after.__struct_fields__]
    found = [(name, wordings.get(name, arrow)(*values)) for name, *values in fields if name not in _UNCOMPARED]
    return tuple(f"{name}: {difference}" for name, difference in found if difference)


def span_lines(starts: datetime | None, ends: datetime | None) -> tuple[str, ...]:
    """From when and until when, as instants: what a written day is taken for."""
    written = (("starts", starts), ("ends", ends))
    return tuple(f"{what} {moment_text(moment)}" for what, moment in written if moment)


def arrow(before: object, after: object) -> str:
    """Old → new."""
    return "" if before == after else f"{short(before)} → {short(after)}"


def short(value: object) -> str:
    """A value as JSON, cut where a line would be too long."""
    shown = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"
