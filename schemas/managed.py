"""Things that are managed from Git: applied from a folder, and changed elsewhere only where somebody insists."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

ManagedKind = Literal["campaign", "segment", "template", "distribution"]
"""In the order in which they are applied: each names only what stands before it."""
MANAGED_KINDS: tuple[ManagedKind, ...] = get_args(ManagedKind)


@dataclass(frozen=True, slots=True)
class ManagedThing:
    """A campaign, segment, template or distribution of a project."""

    project_id: str
    kind: ManagedKind
    identity: str


@dataclass(frozen=True, slots=True)
class GitSource:
    """The repository with its folder, or a name that somebody gave; and the commit, where there is one."""

    name: str
    revision: str | None = None

    def __str__(self) -> str:
        return f"{self.name} at {self.revision[:12]}" if self.revision else self.name


@dataclass(frozen=True, slots=True)
class Mark:
    """The last time that a thing was applied from Git: from where, what the folder said, and the version after it."""

    thing: ManagedThing
    source: GitSource
    content_hash: str
    version: int
    applied_by: str
    applied_at: datetime
