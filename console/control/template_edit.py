"""A stored template as somebody edits it: its files checked as a whole, and stored unless another did meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import PurePath

import asyncpg

from console.control import templates
from console.control.plan import Planned
from console.control.template_source import SourceFile, TemplateSource, sources
from schemas.errors import DefinitionInvalid, Problem, TidingsError
from schemas.template import NamedTemplate
from store.distributions import VersionConflict
from store.managed import LOCKED, Keep
from store.templates import TemplateVersion
from streams.values.wording import invalid


class EditedMeanwhile(TidingsError):
    """Somebody else stored another version than the one that was edited; `newest` is theirs, None where it is gone."""

    def __init__(self, name: str, newest: TemplateVersion | None) -> None:
        what = f"it is in version {newest.template.version} by now" if newest else "it was deleted"
        super().__init__(f"{name} was stored by somebody else meanwhile: {what}")
        self.newest = newest


def source_of(name: str, files: Mapping[str, str]) -> TemplateSource:
    """The files of a template. Raises DefinitionInvalid for what is not one of them, each at its file."""
    found = sources(SourceFile(PurePath(file), text) for file, text in files.items())
    one = found.get(name)
    mine = {file.path.name for file in (*one.parts(), one.layout, one.doubled) if file} if one else set[str]()
    right = f"files of {name}: {name}.mjml, .html or .txt, a locale before the ending; and layout.mjml"
    problems = [Problem(f"{file}:1", invalid(file, right)) for file in sorted(files.keys() - mine)]
    if one is None and not problems:
        problems.append(Problem("", f"there is no file of it. There may be {right}"))
    if one is None or problems:
        raise DefinitionInvalid(tuple(problems))
    return one


async def check(pool: asyncpg.Pool, project_id: str, name: str, files: Mapping[str, str]) -> Planned[NamedTemplate]:
    """The plan of storing it. Raises DefinitionInvalid, TryLater."""
    (planned,) = await templates.plan(pool, [source_of(name, files)], project_id)
    return planned


async def store(
    pool: asyncpg.Pool,
    project_id: str,
    name: str,
    files: Mapping[str, str],
    seen: int,
    *,
    actor: str,
    now: datetime,
    keep: Keep = LOCKED,
) -> Planned[NamedTemplate]:
    """Store the files as a new version, where `seen` is still the newest one, 0 for a new name.

    Raises DefinitionInvalid, EditedMeanwhile, ManagedFromGit, TryLater.
    """
    planned = await check(pool, project_id, name, files)
    if (planned.beside or 0) != seen:
        raise EditedMeanwhile(name, await _newest(pool, project_id, name))
    try:
        await templates.save(pool, [planned], actor=actor, now=now, keep=keep)
    except VersionConflict:
        raise EditedMeanwhile(name, await _newest(pool, project_id, name)) from None
    return planned


async def _newest(pool: asyncpg.Pool, project_id: str, name: str) -> TemplateVersion | None:
    if not await templates.version(pool, project_id, name):
        return None
    return await templates.find(pool, project_id, name)
