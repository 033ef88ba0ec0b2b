"""`/p/<project>/brand`: the sender as customers see it, in a form; without it no e-mail can leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aiohttp import web

from console.control import brand as control
from console.control import projects
from console.web.pages import FieldProblem, respond
from console.web.project_settings import BrandField, BrandPage
from console.web.projects import ProjectRoute, ProjectVisit, base_of
from console.web.words import as_sentence, inert
from deploy.settings.messages import Brand
from schemas.errors import DefinitionInvalid, TidingsError, TryLater
from schemas.record import JsonObject
from store.distributions import VersionConflict
from streams.documents.project import BRAND

PATH = "/brand"
_NEEDED = Brand().missing()
_LABELS: Mapping[str, str] = {
    "name": "Name", "privacy_url": "Privacy policy", "terms_url": "Terms", "logo_url": "Logo",
    "permission_reminder": "Reminder", "preferences_url": "Preferences", "shop_url": "Shop",
}  # fmt: skip
_CHANGED = "Somebody has changed the project meanwhile: look at what is there by now, and save again."


async def show(mine: ProjectVisit) -> web.Response:
    """The form. Raises TryLater."""
    return await _respond(mine)


async def save(mine: ProjectVisit) -> web.Response:
    """Put what is written, or that of the settings, in the place of the brand that there is. Raises TryLater."""
    form = await mine.visit.form()
    written: JsonObject = {name: text for name in BRAND.keys if (text := form.get(name, "").strip())}
    is_given_up = form.get("do") == "forget"
    settings = mine.wiring.settings
    try:
        if any("\0" in text for text in written.values()):
            raise TidingsError("texts must not contain U+0000")
        if form.get("seen") != str(await projects.version(mine.pool, mine.project_id)):
            raise VersionConflict(_CHANGED)
        brand = None if is_given_up else written
        planned = await control.plan(mine.pool, brand, settings, mine.project_id, mine.now)
        await projects.apply(mine.pool, [planned], settings, mine.announce, actor=mine.actor, now=mine.now)
    except TryLater:
        raise
    except DefinitionInvalid as error:
        return await _respond(mine, form, [_problem(one.path, one.message) for one in error.problems])
    except TidingsError as error:
        return await _respond(mine, form, [FieldProblem("main", as_sentence(inert(error)))])
    if planned.what == "unchanged":
        said = "Nothing differs"
    else:
        what = "That of the settings counts again" if is_given_up else "It is saved"
        said = f"{what}: distributions that are saved from now on have it"
    return await _respond(mine, note=". ".join((said, *control.warnings_of(written))))


async def _respond(
    mine: ProjectVisit, form: Mapping[str, str] | None = None, problems: Sequence[FieldProblem] = (), note: str = ""
) -> web.Response:
    found = await control.show(mine.pool, mine.wiring.settings, mine.project_id)
    given = found.texts if form is None else form
    shown = [
        BrandField(name, _label(name), key.doc, given.get(name, ""), key.example.strip("'"), name in _NEEDED)
        for name, key in BRAND.keys.items()
    ]
    page = BrandPage(
        here=f"{base_of(mine.project_id)}{PATH}",
        problems=tuple(problems),
        needed=[one for one in shown if one.is_needed],
        more=[one for one in shown if not one.is_needed],
        missing=[one for one in shown if one.name in found.missing],
        seen=found.version,
        is_own=found.is_own,
        note=note,
        **mine.frame,
    )
    return respond(page, 422 if problems else 200)


def _problem(path: str, message: str) -> FieldProblem:
    if path not in BRAND.keys:
        return FieldProblem("main", f"{inert(path or 'brand')}: {inert(message)}")
    return FieldProblem(path, f"{_label(path)}: {inert(message)}")


def _label(name: str) -> str:
    return _LABELS.get(name, name.replace("_", " ").capitalize())


ROUTES: tuple[ProjectRoute, ...] = (
    ProjectRoute(PATH, "project:write", show),
    ProjectRoute(PATH, "project:write", save, "POST"),
)
