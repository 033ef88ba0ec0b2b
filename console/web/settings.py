"""`/p/<project>/settings`: the project as it is described, and how much of its limits is used."""

from __future__ import annotations

from aiohttp import web

from console.control import projects
from console.web.pages import respond
from console.web.project_settings import SettingsPage, ShownLimit
from console.web.projects import ProjectRoute, ProjectVisit, base_of
from schemas.access import PERMISSIONS, may


async def show(mine: ProjectVisit) -> web.Response:
    """The project of the address. Raises TryLater."""
    found = await projects.show_own(mine.pool, mine.project_id, mine.wiring.settings)
    stored = found.stored
    page = SettingsPage(
        here=f"{base_of(mine.project_id)}/settings",
        is_default=found.project_id == mine.wiring.default_project,
        facts={
            "Project": found.project_id,
            "Timezone": str(mine.context.zone),
            "You may": ", ".join(one for one in PERMISSIONS if may(mine.role, one)),
        },
        limits=[ShownLimit(one.span, one.used, one.allowed, one.free_at) for one in found.uses],
        version=stored.project.version if stored else 0,
        applied_by=stored.applied_by if stored else "",
        applied_at=stored.applied_at if stored else None,
        document=projects.own_source(stored) if stored else None,
        role=mine.role,
        **mine.frame,
    )
    return respond(page)


ROUTES: tuple[ProjectRoute, ...] = (ProjectRoute("/settings", "project:read", show),)
