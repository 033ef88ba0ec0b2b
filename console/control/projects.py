"""Projects: check documents, plan, save all or nothing; what a project's document says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import asyncpg
import msgspec

from console.control import quiet_hours
from console.control.distributions import Announce
from console.control.documents import Document, parse_documents
from console.control.not_found import not_found
from console.control.plan import Planned, changes, check_documents, planned
from deploy.settings.settings import Settings
from schemas.plan import LimitUse, Plan
from schemas.project import Project
from store.accounts import Accounts
from store.limits import Limits
from store.projects import Projects, StoredProject
from streams.documents.project import ProjectChecks, parse_project

ProjectChange = tuple[Project, str]
"""A document, and its source as written."""

_UNDESCRIBED: Plan = "paid"
"""The plan of a project without a document: it has no limits."""


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
    pool: asyncpg.Pool,
    plan: Sequence[Planned[ProjectChange]],
    *,
    actor: str,
    now: datetime,
    timezone: str = "UTC",
    default_project: str | None = None,
) -> None:
    """Save what differs, in one transaction; `timezone` and `default_project` are the settings'.

    Raises VersionConflict, TryLater.
    """
    await Projects(pool).save(
        changes(plan), applied_by=actor, now=now, timezone=timezone, default_project=default_project
    )


async def apply(
    pool: asyncpg.Pool,
    plan: Sequence[Planned[ProjectChange]],
    settings: Settings,
    announce: Announce,
    *,
    actor: str,
    now: datetime,
) -> None:
    """Save what differs, and give it to the distributions that were applied before. Raises VersionConflict, TryLater.

    Distributions of what is unchanged are looked at as well: an earlier one may have come no further than the save.
    """
    default = settings.project_id
    await save(pool, plan, actor=actor, now=now, timezone=settings.timezone, default_project=default)
    written = [one.change[0] for one in plan]
    await quiet_hours.roll_out(pool, written, settings, announce, actor=actor, now=now)


async def listed(pool: asyncpg.Pool) -> list[StoredProject]:
    """Every project that has a document. Raises TryLater."""
    return list((await Projects(pool).current()).values())


@dataclass(frozen=True, slots=True)
class ShownProject:
    """A project with what its limits leave.

    `stored` is None of one that nobody has described; of the default one it says its brand, and the settings the rest.
    """

    project_id: str
    plan: Plan
    stored: StoredProject | None
    uses: list[LimitUse]


async def show(pool: asyncpg.Pool, name: str, settings: Settings) -> ShownProject:
    """A project, and how much of its limits is used. Raises NotFound, TryLater."""
    if name == settings.project_id:
        return await show_own(pool, name, settings)
    return await _shown(pool, name, settings, await find(pool, name))


async def show_own(pool: asyncpg.Pool, name: str, settings: Settings) -> ShownProject:
    """The same of one that is there, described or not: no other is named. Raises TryLater."""
    return await _shown(pool, name, settings, await Projects(pool).get(name))


async def _shown(pool: asyncpg.Pool, name: str, settings: Settings, stored: StoredProject | None) -> ShownProject:
    described = stored.project.plan if stored else _UNDESCRIBED
    plan = settings.plan if name == settings.project_id else described
    if stored is not None:  # of the default project it says the brand alone
        stored = replace(stored, project=msgspec.structs.replace(stored.project, plan=plan))
    return ShownProject(name, plan, stored, await Limits(pool).used(name))


def own_source(stored: StoredProject) -> str:
    """A project's document as it was written; as JSON where others, whose it is not to see, stood in the same file."""
    documents = list(parse_documents(stored.source, ""))
    if len(documents) == 1:
        return stored.source
    mine = next(one.plain for one in documents if one.identity("project") == stored.project.id)
    return msgspec.json.encode(mine).decode()


async def version(pool: asyncpg.Pool, name: str) -> int:
    """The version of a project's document; 0 where it has none. Raises TryLater."""
    found = await Projects(pool).get(name)
    return found.project.version if found else 0


async def find(pool: asyncpg.Pool, name: str) -> StoredProject:
    """One project's document. Raises NotFound, TryLater."""
    projects = Projects(pool)
    found = await projects.get(name)
    if found is None:
        raise not_found("project", name, await projects.current())
    return found
