"""Projects that want to know of opens and clicks, as a sender has them: documents, looked at every few seconds."""

from __future__ import annotations

import asyncio

import asyncpg

from agents.waiting import retry_until_available
from channels.tracked import TrackedLinks
from deploy.settings.settings import Settings
from schemas.project import Project
from schemas.tracking import NO_TRACKING, Tracking
from store.projects import Projects

_EVERY_SECONDS = 5.0


def tracking_of(settings: Settings, project_id: str, document: Project | None) -> Tracking:
    """Tracking that a project wants: the default one, which has no document, by the settings."""
    if project_id == settings.project_id:
        return settings.tracked
    return (document.tracking if document else None) or NO_TRACKING


class TrackedProjects:
    """Tracking by project; the default one's is that of the settings."""

    def __init__(self, projects: Projects, settings: Settings) -> None:
        self._projects, self._settings = projects, settings
        self._documents: dict[str, Project] = {}

    @classmethod
    async def of(cls, pool: asyncpg.Pool, settings: Settings) -> TrackedProjects:
        """As they are now; waits for Postgres."""
        made = cls(Projects(pool), settings)
        await retry_until_available(made.refresh, what="Postgres")
        return made

    @property
    def links(self) -> TrackedLinks:
        """Links and pictures that tell of clicks and opens; none without the console's secrets."""
        console = self._settings.console
        return TrackedLinks(console.public_url, tuple(one.reveal() for one in console.secrets), self.wanted)

    def wanted(self, project_id: str) -> Tracking:
        """Tracking that a project wants; none of one that says nothing."""
        return tracking_of(self._settings, project_id, self._documents.get(project_id))

    async def refresh(self) -> None:
        """Take in what has changed. Raises TryLater."""
        self._documents = {name: one.project for name, one in (await self._projects.current()).items()}

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            await retry_until_available(self.refresh, what="Postgres")
