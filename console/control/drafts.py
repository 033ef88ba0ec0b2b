"""Distributions while people write them: a text, held against what is there, and saved over what was looked at."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache, partial
from typing import Any

import asyncpg

from console.control import accounts, distributions
from console.control.context import ProjectContext
from console.control.distribution_versions import DiffLine, canonical_text, difference, shown
from console.control.distributions import Announce
from console.control.document_edit import with_values
from console.control.documents import Document, parse_documents
from console.control.field_check import compare_fields
from console.control.plan import Planned
from deploy.settings.settings import Settings
from schemas.closed import DistributionStatus
from schemas.distribution import Distribution
from schemas.errors import DefinitionInvalid, Problem, TidingsError
from store.accounts import Accounts
from store.distributions import Change, Control, KeptVersion, VersionConflict
from store.managed import Keep
from streams.documents.distribution_keys import DISTRIBUTION
from streams.values.wording import invalid

ORDER = tuple(DISTRIBUTION.keys)
"""The keys of a distribution, in the order in which it reads best."""
MOST = 32 * 1024
"""Characters of a draft."""
_KEPT = 64
"""Texts that are kept as they were read, which takes a while for each."""
_PLACE = "draft"
_KIND = "distribution"


@dataclass(frozen=True, slots=True)
class DraftProblem:
    """One thing that is wrong: the line of the text, or of a file of a template, the path, and why."""

    where: str
    path: str
    message: str


class DraftWrong(TidingsError):
    """A text that cannot be applied, with all that is wrong."""

    def __init__(self, problems: tuple[DraftProblem, ...]) -> None:
        super().__init__(f"{len(problems)} problem{'s' * (len(problems) != 1)}")
        self.problems = problems


class ChangedMeanwhile(TidingsError):
    """Somebody has applied another version than the one that was looked at."""

    def __init__(self, newest: Distribution) -> None:
        super().__init__(f"{newest.id} is in version {newest.version} by now")
        self.newest = newest


@dataclass(frozen=True, slots=True)
class Draft:
    """A text, and what it is to become: another version of `identity`, which was looked at in the version `seen`.

    None and 0 for one that is to be new.
    """

    text: str
    identity: str | None = None
    seen: int = 0

    def with_status(self, status: DistributionStatus) -> Draft:
        """The same in another status. Raises DraftWrong."""
        read(self.text)
        return replace(self, text=with_values(self.text, {"status": status}, ORDER))


@dataclass(frozen=True, slots=True)
class PlannedDraft:
    """The plan of a draft beside what is there, and what may be wrong with it."""

    plan: Planned[Change]
    before: Distribution | None
    warnings: tuple[str, ...]

    @property
    def distribution(self) -> Distribution:
        """The distribution that it would be."""
        return self.plan.change.distribution

    @property
    def touches_live(self) -> bool:
        """True where applying it changes what is live, or makes it so."""
        return distributions.touches_live(self.before, self.plan)


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """The newest version beside the one that somebody looked at, and beside the text that they wrote.

    `changes` is what others changed; `lines` is how the text differs from theirs, None where that is too long.
    """

    newest: KeptVersion
    changes: tuple[str, ...]
    lines: tuple[DiffLine, ...] | None


@lru_cache(_KEPT)
def read(text: str) -> Document:
    """The one document of a text, which nobody may change. Raises DraftWrong."""
    if len(text) > MOST:
        said = f"has {len(text):,} characters; of more than {MOST:,} pages take their time: use tidings apply"
        raise DraftWrong((DraftProblem("line 1", "", said),))
    try:
        found = list(parse_documents(text, _PLACE))
    except DefinitionInvalid as error:
        raise DraftWrong(tuple(map(_of_text, error.problems))) from error
    if len(found) != 1:
        said = f"there are {len(found)} documents here: write one" if found else "there is nothing here yet"
        raise DraftWrong((DraftProblem("line 1", "", said),))
    if not isinstance(found[0].plain, dict):
        said = "must be a mapping, as in distribution: winback"
        raise DraftWrong((DraftProblem("line 1", "", said),))
    return found[0]


async def plan(
    pool: asyncpg.Pool,
    settings: Settings,
    project: ProjectContext,
    draft: Draft,
    now: datetime,
    *,
    asks_providers: bool = True,
) -> PlannedDraft:
    """The plan of applying a draft. Raises DraftWrong with all problems, ChangedMeanwhile, TryLater."""
    document = read(draft.text)
    before = await _before(pool, project.project_id, document, draft)
    warnings: list[str] = []
    ask = partial(accounts.check, Accounts(pool), settings)
    compare = partial(compare_fields, ask=ask, warn=warnings.append) if asks_providers else None
    try:
        (planned,) = await distributions.plan(
            pool, [replace(document, place="")], project, now, compare, warnings.append
        )
    except DefinitionInvalid as error:
        raise DraftWrong(tuple(placed(document, one) for one in error.problems)) from error
    if planned.beside != draft.seen:
        raise ChangedMeanwhile(await distributions.find(pool, project.project_id, planned.identity))
    return PlannedDraft(planned, before, tuple(one.strip() for one in warnings))


async def _before(pool: asyncpg.Pool, project_id: str, document: Document, draft: Draft) -> Distribution | None:
    named = document.identity(_KIND)
    if draft.identity is not None and named != draft.identity:
        said = invalid(named, f'"{draft.identity}", which it keeps; one of another id is a copy')
        raise DraftWrong((placed(document, Problem(_KIND, said)),))
    newest = await Control(pool).newest(project_id, named) if named else None
    if newest is not None and draft.identity is None:
        said = f'"{named}" is there already, in version {newest.version}: give it another id'
        raise DraftWrong((placed(document, Problem(_KIND, said)),))
    if newest is not None and newest.version != draft.seen:
        raise ChangedMeanwhile(newest)
    return newest


async def already_saved(pool: asyncpg.Pool, project_id: str, draft: Draft) -> Distribution | None:
    """The version that a draft has become already, where somebody presses twice. Raises DraftWrong, TryLater."""
    newest = await Control(pool).newest(project_id, read(draft.text).identity(_KIND))
    if newest is None or newest.version != draft.seen + 1 or draft.identity not in (None, newest.id):
        return None
    found = await distributions.version(pool, project_id, newest.id, newest.version)
    return newest if found.source == draft.text else None


async def save(
    pool: asyncpg.Pool, planned: PlannedDraft, announce: Announce, *, actor: str, now: datetime, keep: Keep
) -> None:
    """Apply it. Raises ChangedMeanwhile, ManagedFromGit, TryLater."""
    try:
        await distributions.save(pool, [planned.plan], announce, actor=actor, now=now, keep=keep)
    except VersionConflict:
        newest = await distributions.find(pool, planned.distribution.project_id, planned.distribution.id)
        raise ChangedMeanwhile(newest) from None


async def meanwhile(pool: asyncpg.Pool, newest: Distribution, draft: Draft) -> Meanwhile:
    """The change of others, beside a draft. Raises NotFound, TryLater."""
    theirs = await shown(pool, newest.project_id, newest.id, newest.version)
    changes = await distributions.changed_since(pool, newest, draft.seen)
    return Meanwhile(theirs.version, changes, difference(theirs.canonical, canonical_text(draft.text)))


async def stored_text(pool: asyncpg.Pool, project_id: str, identity: str) -> tuple[Distribution, str]:
    """The newest version, and its text as it was written. Raises NotFound, TryLater."""
    newest = await distributions.find(pool, project_id, identity)
    return newest, (await shown(pool, project_id, identity, newest.version)).text


def placed(document: Document, problem: Problem) -> DraftProblem:
    """A problem with its line, as commands print it."""
    where, _, path = replace(document, place=_PLACE).located(problem).path.partition("  ")
    return DraftProblem(_line(where), path, problem.message)


def _of_text(problem: Problem) -> DraftProblem:
    return DraftProblem(_line(problem.path), "", problem.message)


def _line(where: str) -> str:
    file, _, line = where.rpartition(":")
    return f"line {line}" if file == _PLACE else where.replace(_PLACE, "line 1")


def values(text: str) -> dict[str, Any]:
    """The values of a draft; empty where it cannot be read."""
    try:
        plain: dict[str, Any] = read(text).plain
    except DraftWrong:
        return {}
    return plain
