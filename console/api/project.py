"""The project of a key, over HTTP: what it is, and how much of its limits is used; its document is applied."""

from __future__ import annotations

from typing import Any

import msgspec

from console.api.documents import document_of, must_be_beside, must_be_named
from console.api.route import Call, DocumentBody, Instant, Nothing, Reply, Route, Writing
from console.api.versions import etag, must_match
from console.control import projects
from schemas.plan import LimitSpan, LimitUse, Plan
from schemas.project import Project
from schemas.record import JsonObject
from store.projects import StoredProject


class UsedLimit(msgspec.Struct, frozen=True, kw_only=True):
    """Messages of a span: `used` of `allowed`, counted anew from `free_at` on; null: never."""

    limit: LimitSpan
    used: int
    allowed: int
    free_at: Instant | None


class StoredDocument(msgspec.Struct, frozen=True, kw_only=True):
    """A project's document: as it was written, as it is understood, and who applied it when."""

    version: int
    source: str
    definition: Project
    applied_by: str
    applied_at: Instant


class ReadProject(msgspec.Struct, frozen=True, kw_only=True):
    """A project, and what its limits leave; without limits any number of messages may leave.

    `document` is null of a project that nobody has described; of the default one it says its brand alone, and the
    settings the rest.
    """

    project: str
    plan: Plan
    is_default: bool
    limits: list[UsedLimit]
    document: StoredDocument | None


class AppliedProject(msgspec.Struct, frozen=True, kw_only=True):
    """The fate of a document, as `tidings projects apply` shows it: new, changed or unchanged, and what differs."""

    project: str
    plan: str
    version: int
    changes: list[str]
    dry_run: bool


async def get_project(call: Call[Any, Nothing, None]) -> Reply:
    """The key's own."""
    settings = call.wiring.settings
    found = await projects.show_own(call.pool, call.project_id, settings)
    read = ReadProject(
        project=found.project_id, plan=found.plan, is_default=found.project_id == settings.project_id,
        limits=list(map(_limit, found.uses)), document=_document(found.stored) if found.stored else None,
    )  # fmt: skip
    return Reply(read, headers={"etag": etag(found.stored.project.version)} if found.stored else {})


async def put_project(call: Call[Any, Writing, JsonObject]) -> Reply:
    """Apply its document, as the command does."""
    identity, dry_run, settings = call.project_id, call.query.dry_run, call.wiring.settings
    must_be_named(call.body, "project", identity, "key")
    before = await projects.version(call.pool, identity)
    document = document_of(call.body)
    plan = await projects.plan(call.pool, [document], settings, call.now)
    await must_match(call.if_match, call.if_none_match, before)
    (planned,) = plan
    if not dry_run:
        must_be_beside(planned, before)
        await projects.apply(call.pool, plan, settings, call.announce, actor=call.actor, now=call.now)
    applied = AppliedProject(
        project=identity, plan=planned.what, version=planned.version, changes=list(planned.lines), dry_run=dry_run
    )
    is_made = planned.what == "new" and not dry_run
    return Reply(applied, 201 if is_made else 200, {} if dry_run else {"etag": etag(planned.version)})


def _limit(one: LimitUse) -> UsedLimit:
    return UsedLimit(limit=one.span, used=one.used, allowed=one.allowed, free_at=one.free_at)


def _document(stored: StoredProject) -> StoredDocument:
    return StoredDocument(
        version=stored.project.version, source=projects.own_source(stored), definition=stored.project,
        applied_by=stored.applied_by, applied_at=stored.applied_at,
    )  # fmt: skip


_EXAMPLE: JsonObject = {"project": "outlet", "name": "Outlet", "timezone": "Europe/Warsaw", "brand": {"name": "Outlet"}}

ROUTES: tuple[Route, ...] = (
    Route(
        "GET", "/project", "project:read", "Read the key's project, and how much of its limits is used", get_project,
        {200: ReadProject},
    ),
    Route(
        "PUT", "/project", "project:write", "Apply the project's document: make it, or a new version of it",
        put_project, {200: AppliedProject, 201: AppliedProject}, query_type=Writing, body=DocumentBody("project"),
        etag=True, body_example=_EXAMPLE,
    ),
)  # fmt: skip
