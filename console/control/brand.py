"""The brand of a project: what templates see of it, what is to be looked at, and its part of the project's document."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import asyncpg
import msgspec

from console.control import projects
from console.control.context import stored_project
from console.control.documents import Document, json_document, parse_documents
from console.control.plan import Planned
from console.control.projects import ProjectChange
from deploy.settings.settings import Settings
from schemas.errors import DefinitionInvalid, Problem
from schemas.formats.colors import contrast, letters_on
from schemas.record import JsonObject
from store.projects import Projects, StoredProject

_READABLE, _SEEN = 4.5, 3.0
"""The least contrast of letters, and of what has to be told from the page. Source: WCAG 2.2, 1.4.3 and 1.4.11."""
_PAGE = "#ffffff"


@dataclass(frozen=True, slots=True)
class ShownBrand:
    """The brand as templates see it; `is_own` where the project's document says it, else the settings do.

    `version` is that of the document; 0: there is not any. `missing` are keys that e-mail needs.
    """

    texts: dict[str, str]
    is_own: bool
    version: int
    missing: tuple[str, ...]
    warnings: tuple[str, ...]


async def show(pool: asyncpg.Pool, settings: Settings, project_id: str) -> ShownBrand:
    """The brand that a project's templates are given from now on. Raises TryLater."""
    stored = await Projects(pool).get(project_id)
    context = await stored_project(pool, settings, project_id)
    is_own = stored is not None and stored.project.brand is not None
    texts, version = context.brand_texts, stored.project.version if stored else 0
    return ShownBrand(texts, is_own, version, context.brand.missing(), warnings_of(texts))


async def plan(
    pool: asyncpg.Pool, brand: JsonObject | None, settings: Settings, project_id: str, now: datetime
) -> Planned[ProjectChange]:
    """The plan of giving a project another brand, whole, or that of the settings; its document says all else as before.

    Raises DefinitionInvalid with all problems, each with its path within the brand.
    """
    document = _with_brand(await Projects(pool).get(project_id), project_id, brand)
    try:
        (planned,) = await projects.plan(pool, [document], settings, now)
    except DefinitionInvalid as error:
        raise DefinitionInvalid(tuple(map(_within, error.problems))) from None
    return planned


def warnings_of(texts: JsonObject) -> tuple[str, ...]:
    """Colors of a brand that are hard to read, or to see: each is allowed."""
    color, letters = texts.get("color"), texts.get("letters_color")
    found: list[str] = []
    if color and letters and (ratio := contrast(letters, color)) < _READABLE:
        found.append(
            f"letters_color {letters} on color {color} has a contrast of {ratio:.1f}, where {_READABLE} can be read; "
            f"without letters_color it is {letters_on(color)}, of {contrast(letters_on(color), color):.1f}"
        )
    if color and (ratio := contrast(color, _PAGE)) < _SEEN:
        found.append(f"color {color} has a contrast of {ratio:.1f} on white, where a button is seen from {_SEEN} on")
    return tuple(found)


def _with_brand(stored: StoredProject | None, project_id: str, brand: JsonObject | None) -> Document:
    written: JsonObject = {"project": project_id}
    if stored is not None:
        (written,) = (one.plain for one in parse_documents(projects.own_source(stored), ""))
    whole = {name: one for name, one in written.items() if name != "brand"}
    if brand is not None:
        whole["brand"] = brand
    return json_document(whole, msgspec.json.encode(whole).decode())


def _within(problem: Problem) -> Problem:
    return Problem(problem.path.removeprefix("brand").lstrip("."), problem.message)
