"""A project as the files of a folder, over HTTP: read, held against what is live, applied; and what is managed so."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from console.api.distributions import comparison
from console.api.pages import page_of
from console.api.problems import RETRY_SECONDS, Detail, Refusal, Refused, in_body, refused
from console.api.route import Call, Cursor, Instant, Name, Nothing, Paged, Reply, Route, Writing
from console.control import git_lock
from console.control.files.git_source import LONGEST, named_source
from console.control.from_git.apply import (
    AnotherPlan,
    BrokeOff,
    WouldOverwrite,
    apply,
    must_be_as_planned,
    must_not_overwrite,
)
from console.control.from_git.files import GivenFiles, files_of, must_be_places, read_given
from console.control.from_git.live import live
from console.control.from_git.plan import FolderPlan, plan
from console.control.from_git.three_way import Compared
from schemas.errors import DefinitionInvalid, Problem, TryLater
from schemas.formats.pointers import pointer_to
from schemas.managed import ManagedKind, ManagedThing, Mark
from store.managed import Managed

_MOST_BYTES = 16 * 1024 * 1024
_MOST_FILES = 5_000
_SECONDS = 120.0

Place = Annotated[str, Meta(min_length=1, max_length=512)]
Files = Annotated[
    dict[Place, str],
    Meta(
        max_length=_MOST_FILES,
        description="Texts by their places in the folder, as `distributions/winback.yaml`, `segments/vip.csv`.",
    ),
]
BinaryFiles = Annotated[
    dict[Place, bytes], Meta(max_length=_MOST_FILES, description="The same of files that are not text, in base64.")
]
Source = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=LONGEST,
        pattern=r"^[^\u0000-\u001f\u007f]+$",
        description="Where the folder is kept, as in `github.com/acme/marketing//shop`; always the same.",
    ),
]
Digest = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Revision = Annotated[str, Meta(pattern=r"^[0-9A-Za-z._/+-]{1,64}$", description="The commit.")]


class ProjectFiles(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is live, as `tidings pull` writes it into a new folder.

    `notes` say what could not be written as it was.
    """

    files: dict[str, str]
    binary_files: dict[str, bytes]
    notes: list[str]


class FolderToPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A project's folder whole: what was applied from its source and is not among its files has left it.

    `prune`: what has left it ends. `offline`: providers are not asked which fields they have.
    """

    files: Files
    binary_files: BinaryFiles = {}
    source: Source
    revision: Revision | None = None
    prune: bool = False
    offline: bool = False


class FolderToApply(FolderToPlan, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A project's folder whole, to be applied. `force`: what was changed elsewhere since is taken back.

    `digest` is that of a plan that somebody looked at: another one is refused.
    """

    force: bool = False
    digest: Digest | None = None


class PlannedFolder(msgspec.Struct, frozen=True, kw_only=True):
    """The plan, as `tidings plan` shows it: how many things change, how many were changed elsewhere, and each of them.

    `digest` is the same for the same plan. Nothing reads the files that are `unread`.
    """

    digest: str
    source: str
    revision: str | None
    changes: int
    drift: int
    things: list[Compared]
    warnings: list[str]
    unread: list[str]


class AppliedFolder(PlannedFolder, frozen=True, kw_only=True):
    """The plan that was applied."""

    dry_run: bool


class ManagedMark(msgspec.Struct, frozen=True, kw_only=True):
    """A thing that is managed from Git: from where, in which version, and who applied it when."""

    kind: ManagedKind
    id: str
    version: int
    source: str
    revision: str | None
    applied_by: str
    applied_at: Instant


class ManagedPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some of them, by kind and id."""

    items: list[ManagedMark]
    next: Cursor | None = None


class OfManaged(msgspec.Struct, frozen=True, kw_only=True):
    """The parameters of a path that names a thing."""

    kind: ManagedKind
    id: Name


class ReleasedThing(msgspec.Struct, frozen=True, kw_only=True):
    """A thing that is managed here from now on."""

    kind: ManagedKind
    id: str
    dry_run: bool


async def read_files(call: Call[Any, Nothing, None]) -> Reply:
    """Everything that is live."""
    found = await live(call.pool, call.project_id)
    texts, others = dict[str, str](), dict[str, bytes]()
    for place, data in sorted(files_of(found).items()):
        try:
            texts[place] = data.decode()
        except UnicodeDecodeError:
            others[place] = data
    return Reply(ProjectFiles(files=texts, binary_files=others, notes=found.notes))


async def plan_files(call: Call[Any, Nothing, FolderToPlan]) -> Reply:
    """Hold a folder against what is live."""
    _, told = await _planned(call)
    return Reply(PlannedFolder(**told))


async def apply_files(call: Call[Any, Writing, FolderToApply]) -> Reply:
    """Apply a folder, as the command does."""
    found, told = await _planned(call)
    _must_be_allowed(call.body, found)
    if not call.query.dry_run:
        await _apply(call, found)
    return Reply(AppliedFolder(**told, dry_run=call.query.dry_run))


async def list_managed(call: Call[Any, Paged, None]) -> Reply:
    """A page of what is managed from Git."""
    found = await Managed(call.pool).of_project(call.project_id)
    rows, following = page_of(found, call.query.cursor, call.query.limit, _place_of, str)
    return Reply(ManagedPage(items=list(map(_mark, rows)), next=following))


async def release_managed(call: Call[OfManaged, Writing, None]) -> Reply:
    """Manage a thing here from now on."""
    thing = ManagedThing(call.project_id, call.path.kind, call.path.id)
    await git_lock.release(call.pool, thing, actor=call.actor, dry_run=call.query.dry_run)
    return Reply(ReleasedThing(kind=thing.kind, id=thing.identity, dry_run=call.query.dry_run))


async def _planned(call: Call[Any, Any, Any]) -> tuple[FolderPlan, dict[str, Any]]:
    """The plan of the files of a request, and the fields of its reply. Raises Refused, TryLater."""
    warnings, body = list[str](), call.body
    texts = {place: text.encode() for place, text in body.files.items()}
    if twice := texts.keys() & body.binary_files.keys():
        raise refused("invalid", "", *(in_body(pointer_to("binary_files", one), _TWICE) for one in sorted(twice)))
    given = GivenFiles({**texts, **body.binary_files})
    try:
        must_be_places(given.files)
        folder = await asyncio.to_thread(read_given, given)
        found = await plan(
            call.pool, folder, await call.project(), named_source(body.source, body.revision), call.now,
            prunes=body.prune, compare_fields=None if body.offline else comparison(call, warnings),
            warn=warnings.append,
        )  # fmt: skip
    except DefinitionInvalid as error:
        raise refused("invalid", "", *(_in_files(one, body) for one in error.problems)) from None
    return found, {
        "digest": found.digest, "source": found.source.name, "revision": found.source.revision,
        "changes": len(found.changes), "drift": len(found.drift), "things": list(found.compared),
        "warnings": [one.strip() for one in warnings], "unread": given.unread,
    }  # fmt: skip


_TWICE = "is among files as well: send it once"


def _in_files(problem: Problem, body: FolderToPlan) -> Detail:
    """A problem at its file, in the words that the command prints: with file and line."""
    for name, places in (("files", body.files), ("binary_files", body.binary_files)):
        if (place := _file_of(problem.path, places)) is not None:
            return msgspec.structs.replace(in_body(pointer_to(name, place), problem.message), detail=str(problem))
    return msgspec.structs.replace(in_body(pointer_to("files"), problem.message), detail=str(problem))


def _file_of(path: str, places: Iterable[str]) -> str | None:
    """The file that a problem's path begins with."""
    found = (one for one in places if path == one or path.startswith((f"{one}:", f"{one} ")))
    return max(found, key=len, default=None)


def _must_be_allowed(asked: FolderToApply, found: FolderPlan) -> None:
    """Refuse another plan than the one that is asked for, and to take back what was done elsewhere. Raises Refused."""
    try:
        must_be_as_planned(found, asked.digest)
        if not asked.force:
            must_not_overwrite(found)
    except AnotherPlan as error:
        raise Refused(Refusal("changed", str(error), changes=_lines(found.changes))) from None
    except WouldOverwrite as error:
        raise Refused(Refusal("conflict", str(error), changes=_lines(found.drift))) from None


def _lines(things: Iterable[Compared]) -> list[str]:
    return [f"{one.kind} {one.identity}: {line}" for one in things for line in one.lines or (one.note or one.plan,)]


async def _apply(call: Call[Any, Writing, FolderToApply], found: FolderPlan) -> None:
    """Raises Refused where a part is applied and a server went away, BrokeOff, TryLater."""
    try:
        await apply(call.pool, found, call.project_id, call.announce, actor=call.actor, now=call.now)
    except BrokeOff as error:
        if isinstance(error.__cause__, TryLater):
            raise refused("later", str(error), retry_after=str(RETRY_SECONDS)) from None
        raise


def _place_of(one: Mark) -> str:
    return f"{one.thing.kind}/{one.thing.identity}"


def _mark(one: Mark) -> ManagedMark:
    return ManagedMark(
        kind=one.thing.kind, id=one.thing.identity, version=one.version, source=one.source.name,
        revision=one.source.revision, applied_by=one.applied_by, applied_at=one.applied_at,
    )  # fmt: skip


_EXAMPLE = {
    "files": {"segments/poland.yaml": "segment: poland\nwhen: {customer.metadata.country: PL}\n"},
    "source": "github.com/acme/marketing//shop",
}
_TO_PLAN: dict[str, Any] = {"body_example": _EXAMPLE, "most_bytes": _MOST_BYTES, "seconds": _SECONDS}

ROUTES: tuple[Route, ...] = (
    Route(
        "GET", "/project/files", "project:read", "Read everything that is live as the files of a folder", read_files,
        {200: ProjectFiles}, seconds=_SECONDS,
    ),
    Route(
        "POST", "/project/plan", "project:read",
        "Hold a project's folder against what is live: what applying it changes, and what was changed elsewhere",
        plan_files, {200: PlannedFolder}, body=FolderToPlan, is_safe=True, **_TO_PLAN,
    ),
    Route(
        "POST", "/project/apply", "project:apply",
        "Apply a project's folder: campaigns, segments and templates first, then distributions",
        apply_files, {200: AppliedFolder}, query_type=Writing, body=FolderToApply, **_TO_PLAN,
    ),
    Route(
        "GET", "/project/managed", "project:read", "List what is managed from Git", list_managed, {200: ManagedPage},
        query_type=Paged,
    ),
    Route(
        "DELETE", "/project/managed/{kind}/{id}", "project:apply", "Manage here what was managed from Git",
        release_managed, {200: ReleasedThing}, path_type=OfManaged, query_type=Writing,
        path_example={"kind": "segment", "id": "poland"},
    ),
)  # fmt: skip
