"""The page on which everything of a project is found, as a record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from console.web.project_pages import ProjectPage


@dataclass(frozen=True, slots=True)
class FoundLink:
    """A page, a thing or a customer that was found; `note` tells it from others of its name."""

    text: str
    note: str
    path: str


@dataclass(frozen=True, slots=True)
class FoundGroup:
    """Those of a kind, the best first; `rest` says where others are, and is empty where there is not any."""

    name: str
    title: str
    links: Sequence[FoundLink]
    rest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPage(ProjectPage):
    """The form, and what was found; before the first search the pages of the project. `status` says how many."""

    template: ClassVar[str] = "search.html"
    title: str = "Search"
    sought: str
    groups: Sequence[FoundGroup]
    status: str
