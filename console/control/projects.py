"""Projects: check documents, plan, save all or nothing; what a project's document says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from console.control.documents import Document
from console.control.not_found import not_found
from console.control.plan import Planned, changes, check_documents, planned
from deploy.settings.settings import Settings
from schemas.plan import LimitUse
from schemas.project import Project
from store.accounts import Accounts
from store.limits import Limits
from store.projects import Projects, StoredProject
from streams.documents.project import ProjectChecks, parse_project

ProjectChange = tuple[Project, str]
"""A document, and its source as written."""


async def plan(
    pool: asyncpg.Pool, documents: Iterable[Document], settings: Settings, now: datetime
) -> list[Planned[ProjectChange]]:
    """The plan of applying some documents. Raises DefinitionInvalid with all problems, each with its line."""
    current = {name: one.project for name, one in (await Projects(pool).current()).items()}
    own = [one.key for one in await Accounts(pool).all() if one.key.channel == "email" and one.state != "removed"]

    def read(document: Document) -> Project:
        identity = document.identity("project")
        before, mine = current.get(identity), {key.name for key in own if key.project_id == identity}
        accounts = mine | set(settings.email_accounts)
        checks = ProjectChecks(settings.project_id, accounts, settings.notices.account, settings.consents)
        return parse_project(document.plain, checks=checks, version=before.version + 1 if before else 1, now=now)

    checked = check_documents(documents, "project", read, lambda project: project.id)
    return [
        planned("project", current.get(after.id), after, (after, document.source), new="new")
        for document, after in checked
    ]


async def save(
    pool: asyncpg.Pool, plan: Sequence[Planned[ProjectChange]], *, actor: str, now: datetime, timezone: str = "UTC"
) -> None:
    """Save what differs, in one transaction; `timezone` is the settings'. Raises VersionConflict, TryLater."""
    await Projects(pool).save(changes(plan), applied_by=actor, now=now, timezone=timezone)


async def listed(pool: asyncpg.Pool) -> list[StoredProject]:
    """Every project that has a document. Raises TryLater."""
    return list((await Projects(pool).current()).values())


@dataclass(frozen=True, slots=True)
class ShownProject:
    """A project with what its limits leave. `stored` is None of the default one, which the settings describe."""

    project_id: str
    plan: str
    stored: StoredProject | None
    uses: list[LimitUse]


async def show(pool: asyncpg.Pool, name: str, settings: Settings) -> ShownProject:
    """A project, and how much of its limits is used. Raises NotFound, TryLater."""
    stored = None if name == settings.project_id else await find(pool, name)
    plan = stored.project.plan if stored else settings.plan
    return ShownProject(name, plan, stored, await Limits(pool).used(name))


async def find(pool: asyncpg.Pool, name: str) -> StoredProject:
    """One project's document. Raises NotFound, TryLater."""
    projects = Projects(pool)
    found = await projects.get(name)
    if found is None:
        raise not_found("project", name, await projects.current())
    return found
