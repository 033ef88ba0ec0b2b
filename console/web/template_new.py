"""`/p/<project>/new-template`: a template by its name, begun with a design of the product, or with an empty e-mail."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from aiohttp import web

from channels.templates.designs import about, design_names
from console.control import template_edit
from console.control.designs import design_named
from console.web.pages import FieldProblem, respond, see
from console.web.project_templates import NewTemplatePage, new_template_form
from console.web.projects import ProjectRoute, ProjectVisit, base_of
from console.web.words import inert, segment
from schemas.errors import DefinitionInvalid, TidingsError, TryLater

PATH = "/new-template"
_EMPTY = """---
subject: "News"
---
{% from "sections" import header, text %}
{{ header("Hello") }}
{{ text("Write here.") }}
"""


async def ask(mine: ProjectVisit) -> web.Response:
    """The form."""
    return _form(mine, new_template_form())


async def make(mine: ProjectVisit) -> web.Response:
    """Store its first version, and edit it. Raises TryLater."""
    form = await mine.visit.form()
    given = {name: form.get(name, "").strip() for name in new_template_form()}
    try:
        files = await asyncio.to_thread(_files, mine, given["name"], given["design"])
        await template_edit.store(
            mine.pool, mine.project_id, given["name"], files, 0, actor=mine.actor, now=mine.now, keep=mine.lock()
        )
    except DefinitionInvalid as error:
        return _form(mine, given, [FieldProblem("name", f"Name: {inert(one.message)}") for one in error.problems[:1]])
    except TryLater:
        raise
    except TidingsError as error:
        name = "design" if getattr(error, "kind", "") == "design" else "name"
        return _form(mine, given, [FieldProblem(name, inert(error))])
    return see(f"{base_of(mine.project_id)}/templates/{segment(given['name'])}/edit")


def _files(mine: ProjectVisit, name: str, design: str) -> Mapping[str, str]:
    """The files that it begins with. Raises TidingsError."""
    if not name or "\0" in name or "/" in name:
        raise TidingsError("Name: is missing, or has a slash in it")
    return design_named(design, mine.context.brand.locale, name) if design else {f"{name}.mjml": _EMPTY}


def _form(mine: ProjectVisit, given: Mapping[str, str], problems: Sequence[FieldProblem] = ()) -> web.Response:
    page = NewTemplatePage(
        here=f"{base_of(mine.project_id)}/templates",
        path=base_of(mine.project_id) + PATH,
        designs=[
            (one, f"{one}: {about(one) or 'default of an e-mail that names no template'}") for one in design_names()
        ],
        given=given,
        problems=problems,
        **mine.frame,
    )
    return respond(page, 422 if problems else 200)


ROUTES: tuple[ProjectRoute, ...] = (
    ProjectRoute(PATH, "templates:write", ask),
    ProjectRoute(PATH, "templates:write", make, "POST"),
)
