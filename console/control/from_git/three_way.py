"""Three-way comparison: what the folder says, what is live, and what was applied from Git the last time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from console.control.plan import Planned
from schemas.managed import GitSource, ManagedKind, Mark
from schemas.stable_hash import stable_hash

Fate = Literal["new", "changed", "unchanged", "gone", "only_live"]
"""The fate of a thing; `gone` is no longer in the folder it was applied from, `only_live` never was in it."""

ChangedIn = Literal["git", "elsewhere", "both", "another_source"]
"""The side that changed since the last apply; `another_source`: it is managed from another repository or folder."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A thing, its fate, and which side has changed; `lines` are its differences, field by field."""

    kind: ManagedKind
    identity: str
    plan: Fate
    version: int
    changed_in: ChangedIn | None
    lines: tuple[str, ...]
    note: str = ""

    @property
    def is_drift(self) -> bool:
        """True where applying overwrites what somebody did elsewhere."""
        if self.plan == "unchanged":
            return self.changed_in == "another_source"
        return self.plan != "only_live" and self.changed_in not in (None, "git")


def compare(
    kind: ManagedKind, one: Planned[Any], content_hash: str, live: int, mark: Mark | None, source: GitSource
) -> Compared:
    """One thing of the folder. `live` is the version that there is, 0 where it is not there."""
    if mark is not None and mark.source.name != source.name:
        note = f"is managed from {mark.source}"
        return Compared(kind, one.identity, one.what, one.version, "another_source", one.lines, note)
    if one.what == "unchanged":
        note = "" if mark is not None else "is managed from Git once it is applied"
        return Compared(kind, one.identity, one.what, one.version, None, one.lines, note)
    changed_in: ChangedIn | None = "git"
    note = ""
    if mark is not None and mark.version != live:
        changed_in = "elsewhere" if mark.content_hash == content_hash else "both"
        now = f"v{live}" if live else "gone"
        note = f"was v{mark.version} when it was applied from {mark.source}, and is {now}"
    return Compared(kind, one.identity, one.what, one.version, changed_in, one.lines, note)


def hash_of(values: Any, beside: Iterable[str] = ()) -> str:
    """The SHA-256 of what a folder says of one thing, and of what stands beside it; comments do not count."""
    return stable_hash([_plain(values), *sorted(beside)])


def _plain(value: Any) -> Any:
    match value:
        case Mapping():
            return {str(name): _plain(one) for name, one in value.items()}
        case list():
            return [_plain(one) for one in value]
        case date():
            return value.isoformat()
    return value
