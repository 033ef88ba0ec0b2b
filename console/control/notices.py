"""Notices: what waits for a person, for whoever asks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from store.notices import Notices


@dataclass(frozen=True, slots=True)
class ShownNotice:
    """A notice as people look at it; `closed_at` is None while it is open."""

    kind: str
    about: str
    summary: str
    look_at: str
    opened_at: datetime
    closed_at: datetime | None


async def notices_of(notices: Notices, project_id: str, *, closed: bool) -> list[ShownNotice]:
    """Notices of a project: open ones first, the newest first; with `closed` those that are over as well."""
    return [ShownNotice(**row) for row in await notices.of_project(project_id, closed=closed)]
