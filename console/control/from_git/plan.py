"""The plan of applying a folder: everything checked, and each thing beside what is live and what was applied before."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

import asyncpg

from console.control import campaigns, distributions, segments, templates
from console.control.context import ProjectContext
from console.control.distributions import Pending
from console.control.document_texts import mappings_in
from console.control.documents import Document
from console.control.field_check import Compare
from console.control.from_git.folder import ProjectFolder
from console.control.from_git.three_way import Compared, compare, hash_of
from console.control.plan import Planned
from console.control.segment_names import REACTING, named_segments
from console.control.template_source import stored_subject, usable
from schemas.distribution import Distribution
from schemas.errors import DefinitionInvalid, Problem
from schemas.managed import MANAGED_KINDS, GitSource, ManagedKind, Mark
from schemas.stable_hash import stable_hash
from schemas.template import NamedTemplate
from store.campaigns import Campaigns
from store.distributions import Control
from store.managed import Managed
from store.segments import Segments
from store.templates import NamedTemplates
from streams.channels.template_files import TemplateFiles

T = TypeVar("T")
Versions = Mapping[ManagedKind, Mapping[str, int]]
_STAYS = "stays, since codes of it may be redeemed; it is no longer managed from Git"


@dataclass(frozen=True, slots=True)
class FolderPlan:
    """The plan of a folder: by kind all that it says, each thing compared, and the marks that there are.

    `hashes` are those of the folder's things, by kind and id; `current` the distributions that there are.
    """

    source: GitSource
    planned: Mapping[ManagedKind, Sequence[Planned[Any]]]
    compared: Sequence[Compared]
    hashes: Mapping[tuple[ManagedKind, str], str]
    current: Mapping[str, Distribution]
    prunes: bool

    @property
    def digest(self) -> str:
        """The same for the same plan: what is changed, and beside which versions."""
        return stable_hash([
            [self.source.name, self.prunes],
            *([one.kind, one.identity, one.plan, one.version, self.hashes.get((one.kind, one.identity), "")]
              for one in self.compared if one.plan != "only_live"),
        ])  # fmt: skip

    @property
    def changes(self) -> list[Compared]:
        """The things that applying changes."""
        fates = ("new", "changed", "gone") if self.prunes else ("new", "changed")
        return [one for one in self.compared if one.plan in fates]

    @property
    def drift(self) -> list[Compared]:
        """Those that somebody has changed elsewhere, or that are managed from another source."""
        gone = ("gone",) if not self.prunes else ()
        return [one for one in self.compared if one.is_drift and one.plan not in gone]


@dataclass(slots=True)
class _Reading:
    """A folder that is being planned: the plans by kind, and everything that is wrong."""

    folder: ProjectFolder
    planned: dict[ManagedKind, list[Planned[Any]]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def take(self, kind: ManagedKind, found: list[Planned[Any]] | DefinitionInvalid) -> None:
        """Take a plan, or the problems that there are instead."""
        if isinstance(found, DefinitionInvalid):
            self.problems += found.problems
            found = []
        self.planned[kind] = found


async def plan(
    pool: asyncpg.Pool,
    folder: ProjectFolder,
    project: ProjectContext,
    source: GitSource,
    now: datetime,
    *,
    prunes: bool = False,
    compare_fields: Compare | None = None,
    warn: Callable[[str], None] = lambda _: None,
) -> FolderPlan:
    """The plan of applying a folder. Raises DefinitionInvalid with all problems, each with file and line; TryLater."""
    read, documents = _Reading(folder, problems=list(folder.problems)), folder.documents
    project_id = project.project_id
    read.take("campaign", await _caught(campaigns.plan(pool, documents["campaign"], project, now)))
    read.take("segment", await _caught(segments.plan(pool, documents["segment"], project, now)))
    read.take("template", await _caught(templates.plan(pool, folder.templates, project_id)))
    own = [replace(one, beside=_WithoutTemplates(one.beside)) for one in documents["distribution"]]
    arguments = pool, own, project, now, compare_fields, warn, _pending(read)
    read.take("distribution", await _caught(distributions.plan(*arguments)))
    marks = {(one.thing.kind, one.thing.identity): one for one in await Managed(pool).of_project(project_id)}
    current = await Control(pool).current(project_id)
    versions = await _versions(pool, project_id, current)
    hashes = _hashes(read)
    compared = [
        compare(kind, one, hashes[kind, one.identity], versions[kind].get(one.identity, 0),
                marks.get((kind, one.identity)), source)
        for kind in MANAGED_KINDS for one in read.planned[kind]
    ]  # fmt: skip
    rest = _not_in_folder(read, versions, marks, source, current)
    if prunes:
        read.problems += _used([one for one in rest if one.plan == "gone"], read, current)
    if read.problems:
        raise DefinitionInvalid(tuple(dict.fromkeys(read.problems)))
    return FolderPlan(source, read.planned, (*compared, *rest), hashes, current, prunes)


async def _caught(planning: Any) -> Any:
    try:
        return await planning
    except DefinitionInvalid as error:
        return error


@dataclass(frozen=True, slots=True)
class _WithoutTemplates:
    """The files beside a document, but for templates: those of the folder are stored, and taken from there."""

    beside: Any

    @property
    def folder(self) -> Any:
        """The folder of the document."""
        return self.beside.folder

    def templates(self) -> Mapping[str, TemplateFiles]:
        """No template."""
        return {}

    def members(self, name: str) -> Sequence[str]:
        """Raises ValueError."""
        found: Sequence[str] = self.beside.members(name)
        return found

    def file(self, path: str, most: int) -> bytes:
        """Raises ValueError."""
        found: bytes = self.beside.file(path, most)
        return found

    def raw(self, name: str) -> bytes | None:
        """The bytes of a file; None where it is not there."""
        found: bytes | None = self.beside.raw(name)
        return found


def _pending(read: _Reading) -> Pending:
    """The things of the folder that its distributions may name."""
    sources = {one.name: one for one in read.folder.templates}
    stored: dict[str, TemplateFiles] = {name: usable(one) for name, one in sources.items()}
    for one in read.planned["template"]:
        template: NamedTemplate = one.change
        stored[one.identity] = replace(
            stored[one.identity], version=template.version, subject=stored_subject(template.files)
        )
    return Pending(
        {one.identity: one.change.campaign for one in read.planned["campaign"]},
        stored,
        tuple(one.identity for one in read.planned["segment"]),
    )


async def _versions(pool: asyncpg.Pool, project_id: str, current: Mapping[str, Distribution]) -> Versions:
    written = await Segments(pool).sources(project_id)
    return {
        "campaign": {one.id: one.version for one in (await Campaigns(pool).current(project_id)).values()},
        "segment": {identity: definition.version for identity, (definition, _) in written.items()},
        "template": {name: one.version for name, one in (await NamedTemplates(pool).current(project_id)).items()},
        "distribution": {identity: one.version for identity, one in current.items()},
    }


def _hashes(read: _Reading) -> dict[tuple[ManagedKind, str], str]:
    hashes: dict[tuple[ManagedKind, str], str] = {}
    for kind, found in read.folder.documents.items():
        for document in found:
            hashes[kind, document.identity(kind)] = hash_of(document.plain, _beside(document))
    for one in read.planned["template"]:
        files = one.change.files
        hashes["template", one.identity] = hash_of(dict(files))
    return hashes


def _beside(document: Document) -> Iterable[str]:
    """Digests of the files that a document names beside it."""
    named = (one.get(key) for one in mappings_in(document.plain) for key in ("members_file", "file"))
    for name in (one for one in named if isinstance(one, str)):
        data = document.beside.raw(name)
        if data is not None:
            yield hashlib.sha256(data).hexdigest()


# -- no longer in the folder -------------------------------------------------------------------------------------


def _not_in_folder(
    read: _Reading,
    versions: Versions,
    marks: Mapping[tuple[ManagedKind, str], Mark],
    source: GitSource,
    current: Mapping[str, Distribution],
) -> list[Compared]:
    here = {(kind, one.identity) for kind in MANAGED_KINDS for one in read.planned[kind]}
    found = []
    for kind in MANAGED_KINDS:
        for identity, version in versions[kind].items():
            if (kind, identity) in here:
                continue
            mark = marks.get((kind, identity))
            is_archived = kind == "distribution" and current[identity].status == "ARCHIVED"
            if mark is None and is_archived:
                continue  # out of every list
            if mark is None or mark.source.name != source.name:
                note = f"is managed from {mark.source}" if mark else "is not managed from Git"
                found.append(Compared(kind, identity, "only_live", version, None, (), note))
                continue
            changed = None if mark.version == version or is_archived else "elsewhere"  # there is nothing to take back
            note = _end(kind, current.get(identity))
            found.append(Compared(kind, identity, "gone", version, "both" if changed else "git", (), note))
    return found


def _end(kind: ManagedKind, rule: Distribution | None) -> str:
    """The end of what is no longer in the folder, with --prune."""
    if kind == "campaign":
        return _STAYS
    if kind == "distribution":
        if rule is not None and rule.status in ("STOPPED", "ARCHIVED"):
            return f"is {rule.status.lower()} already"
        return f"is {rule.status if rule else ''}: --prune stops it"
    return "--prune deletes it"


def _used(gone: Sequence[Compared], read: _Reading, current: Mapping[str, Distribution]) -> list[Problem]:
    """Segments and templates that --prune would delete, and that distributions go on using."""
    ended = {one.identity for one in gone if one.kind == "distribution"}
    after = {**current, **{one.identity: one.change.distribution for one in read.planned["distribution"]}}
    rules = [one for one in after.values() if one.id not in ended and one.status in REACTING]
    uses = [(rule.id, "segment", named.segment) for rule in rules for named in named_segments(rule)]
    uses += [(rule.id, "template", plan.template.name) for rule in rules for _, plan in rule.plans() if plan.template]
    thing = {(one.kind, one.identity) for one in gone}
    return [
        Problem(read.folder.name, f"{kind} {name} is no longer here, and distribution {rule} uses it")
        for rule, kind, name in dict.fromkeys(uses)
        if (kind, name) in thing
    ]
