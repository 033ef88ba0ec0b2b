"""Stored templates over HTTP: list, read, store, check, versions, roll out, delete."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from console.api.documents import keep_of, keep_of_planned, managed_from
from console.api.pages import page_of
from console.api.problems import Detail, in_body, refused
from console.api.route import ById, Call, Cursor, Instant, Name, Overriding, Paged, Reply, Route
from console.api.versions import VersionNumber, etag, is_known, must_match
from console.control import distributions, roll_out, templates
from console.control.plan import Planned
from console.control.template_source import SourceFile, sources
from console.control.templates import SentVersion, TemplateSummary
from schemas.errors import DefinitionInvalid
from schemas.formats.pointers import pointer_to
from schemas.template import NamedTemplate
from store.distributions import VersionConflict
from streams.values.wording import invalid

_MOST_BYTES = 4 * 1024 * 1024
_MOST_FILES = 200

Files = Annotated[
    dict[Name, str],
    Meta(
        min_length=1,
        max_length=_MOST_FILES,
        description="By name, as in a folder: `order.mjml`, `order.txt`, a locale as `order.pl.mjml`, `layout.mjml`.",
    ),
]


class VersionAsked(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of reading a template."""

    version: Annotated[VersionNumber, Meta(description="Instead of the newest.")] | None = None


class TemplatePage(msgspec.Struct, frozen=True, kw_only=True):
    """Some templates in their newest version, in the order of their names."""

    items: list[TemplateSummary]
    next: Cursor | None = None


class ReadTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a template with its files as they were written, and who sends which version."""

    summary: TemplateSummary
    applied_by: str
    applied_at: Instant
    files: dict[str, str]


class TemplateFilesGiven(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A template whole: files that are not among these are no longer part of it."""

    files: Files


class TemplateToCheck(TemplateFilesGiven, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A template with its name."""

    template: Name


class AppliedTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """The fate of a template, as `tidings templates apply` shows it: new, changed or unchanged, and what differs.

    `older` are the distributions that go on sending another version until it is rolled out to them. `managed_from` is
    where in Git it is managed from; null where it is managed here.
    """

    template: str
    plan: str
    version: int
    changes: list[str]
    older: list[str]
    managed_from: str | None
    dry_run: bool


class TemplateVersionPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some versions, newest first."""

    items: list[SentVersion]
    next: Cursor | None = None


class UpgradedDistribution(msgspec.Struct, frozen=True, kw_only=True):
    """A distribution that gets a new version with the newest text."""

    distribution: str
    version: int
    changes: list[str]


class RolledOut(msgspec.Struct, frozen=True, kw_only=True):
    """The distributions that sent an older version of a template."""

    template: str
    version: int
    distributions: list[UpgradedDistribution]
    dry_run: bool


class DeletedTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """A template whose name is free again; its versions are kept."""

    template: str
    version: int
    dry_run: bool


async def list_templates(call: Call[Any, Paged, None]) -> Reply:
    """A page of them."""
    found = await templates.listed(call.pool, call.project_id)
    rows, following = page_of(found, call.query.cursor, call.query.limit, lambda one: one.template, str)
    return Reply(TemplatePage(items=list(rows), next=following))


async def get_template(call: Call[ById, VersionAsked, None]) -> Reply:
    """One of them, whole."""
    found = await templates.find(call.pool, call.project_id, call.path.id, call.query.version)
    headers = {"etag": etag(found.template.version)}
    if is_known(call.if_none_match, found.template.version):
        return Reply(None, 304, headers)
    summary = await templates.summarized(call.pool, call.project_id, found.template)
    read = ReadTemplate(
        summary=summary, applied_by=found.applied_by, applied_at=found.applied_at, files=found.template.files
    )
    return Reply(read, 200, headers)


async def put_template(call: Call[ById, Overriding, TemplateFilesGiven]) -> Reply:
    """Store a template, as the command does."""
    name, dry_run = call.path.id, call.query.dry_run
    before = await templates.version(call.pool, call.project_id, name)
    await must_match(call.if_match, call.if_none_match, before)
    planned = await _plan(call, name, call.body.files)
    keep = await keep_of_planned(call, "template", planned)
    if not dry_run:
        if planned.beside != before:
            raise VersionConflict(f"{name} was stored by somebody else meanwhile; read it and store again")
        await templates.save(call.pool, [planned], actor=call.actor, now=call.now, keep=keep)
    is_made = planned.what == "new" and not dry_run
    headers = {} if dry_run else {"etag": etag(planned.version)}
    return Reply(await _applied(call, planned, dry_run=dry_run), 201 if is_made else 200, headers)


async def validate_template(call: Call[Any, Any, TemplateToCheck]) -> Reply:
    """Check a template, and say what storing it would do."""
    return Reply(await _applied(call, await _plan(call, call.body.template, call.body.files), dry_run=True))


async def list_template_versions(call: Call[ById, Paged, None]) -> Reply:
    """A page of them, of a deleted template as well."""
    found = await templates.history(call.pool, call.project_id, call.path.id)
    rows, following = page_of(found, call.query.cursor, call.query.limit, lambda one: -one.version, int)
    return Reply(TemplateVersionPage(items=list(rows), next=following))


async def roll_out_template(call: Call[ById, Overriding, None]) -> Reply:
    """Give the newest version to whoever sends an older one."""
    newest = (await templates.find(call.pool, call.project_id, call.path.id)).template
    older = await templates.older_uses(call.pool, call.project_id, {newest.name: newest.version})
    plan = await roll_out.plan(call.pool, older, {newest.name: newest}, await call.project(), call.now)
    keep = await keep_of(call, "distribution", *(one.identity for one in plan))
    if not call.query.dry_run:
        await distributions.save(call.pool, plan, call.announce, actor=call.actor, now=call.now, keep=keep)
    upgraded = [
        UpgradedDistribution(distribution=one.identity, version=one.version, changes=list(one.lines)) for one in plan
    ]
    rolled = RolledOut(template=newest.name, version=newest.version, distributions=upgraded, dry_run=call.query.dry_run)
    return Reply(rolled)


async def delete_template(call: Call[ById, Overriding, None]) -> Reply:
    """Forget a name, where nothing that is live or paused sends it."""
    found = (await templates.find(call.pool, call.project_id, call.path.id)).template
    await must_match(call.if_match, None, found.version)
    keep, dry_run = await keep_of(call, "template", found.name), call.query.dry_run
    await templates.delete(
        call.pool, call.project_id, found.name, actor=call.actor, now=call.now, dry_run=dry_run, keep=keep
    )
    return Reply(DeletedTemplate(template=found.name, version=found.version, dry_run=call.query.dry_run))


async def _plan(call: Call[Any, Any, Any], name: str, files: Mapping[str, str]) -> Planned[NamedTemplate]:
    found = sources(SourceFile(PurePath(file), text) for file, text in files.items())
    one = found.get(name)
    mine = {file.path.name for file in (*one.parts(), one.layout, one.doubled) if file} if one else set[str]()
    if strange := sorted(files.keys() - mine):
        right = f"files of {name}: {name}.mjml, .html or .txt, a locale before the ending; and layout.mjml"
        raise refused("invalid", "", *(in_body(pointer_to("files", file), invalid(file, right)) for file in strange))
    try:
        (planned,) = await templates.plan(call.pool, [found[name]], call.project_id)
    except DefinitionInvalid as error:
        raise refused("invalid", "", *(_in_file(one.path, one.message) for one in error.problems)) from None
    return planned


def _in_file(place: str, message: str) -> Detail:
    """A problem of a file and its line."""
    file = place.rpartition(":")[0]
    return in_body(pointer_to("files", *([file] if file else ())), f"{place}  {message}")


async def _applied(call: Call[Any, Any, Any], planned: Planned[NamedTemplate], *, dry_run: bool) -> AppliedTemplate:
    older = await templates.older_uses(call.pool, call.project_id, {planned.identity: planned.version})
    return AppliedTemplate(
        template=planned.identity, plan=planned.what, version=planned.version, changes=list(planned.lines),
        older=sorted({use.distribution_id for use in older}),
        managed_from=await managed_from(call, "template", planned.identity), dry_run=dry_run,
    )  # fmt: skip


_FILES = {"order.mjml": "<mj-text>Thank you, {{ customer.name }}</mj-text>", "order.txt": "Thank you"}
_ID = {"id": "order"}

ROUTES: tuple[Route, ...] = (
    Route(
        "GET", "/templates", "templates:read", "List stored templates, each with who sends it", list_templates,
        {200: TemplatePage}, query_type=Paged,
    ),
    Route(
        "POST", "/templates/validate", "templates:read", "Check a template, and say what storing it would do",
        validate_template, {200: AppliedTemplate}, body=TemplateToCheck, most_bytes=_MOST_BYTES, is_safe=True,
        body_example={"template": "order", "files": _FILES},
    ),
    Route(
        "GET", "/templates/{id}", "templates:read", "Read a template with its files", get_template,
        {200: ReadTemplate, 304: None}, path_type=ById, query_type=VersionAsked, etag=True, path_example=_ID,
    ),
    Route(
        "PUT", "/templates/{id}", "templates:write",
        "Store a template: what is sent goes on as it was until it is rolled out or applied", put_template,
        {200: AppliedTemplate, 201: AppliedTemplate}, path_type=ById, query_type=Overriding, body=TemplateFilesGiven,
        etag=True, most_bytes=_MOST_BYTES, path_example=_ID, body_example={"files": _FILES},
    ),
    Route(
        "GET", "/templates/{id}/versions", "templates:read", "List a template's versions, newest first",
        list_template_versions, {200: TemplateVersionPage}, path_type=ById, query_type=Paged, path_example=_ID,
    ),
    Route(
        "POST", "/templates/{id}/roll-out", "distributions:set_live",
        "Give its newest version to every distribution that sends an older one", roll_out_template, {200: RolledOut},
        path_type=ById, query_type=Overriding, path_example=_ID,
    ),
    Route(
        "DELETE", "/templates/{id}", "templates:write", "Forget a template's name where nothing sends it",
        delete_template, {200: DeletedTemplate}, path_type=ById, query_type=Overriding, etag=True, path_example=_ID,
    ),
)  # fmt: skip
