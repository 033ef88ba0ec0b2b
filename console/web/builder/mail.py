"""An e-mail of the builder's channels as it would leave, in a frame beside them that follows what is written."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aiohttp import web

from console.control import distributions, drafts
from console.control.drafts import Draft, DraftWrong
from console.control.preview.mailboxes import shown_mailboxes
from console.control.preview.messages import Preview, Rendering
from console.web import frames
from console.web.builder.asked import MOST_BYTES, MOST_FIELDS, Asked, begun, text_of
from console.web.builder.channels import channels_of
from console.web.builder.form import taken
from console.web.builder.output import MAIL_PATH, About, about_of, message_of, why_not
from console.web.builder.steps import CHANNELS
from console.web.projects import ProjectRoute, ProjectVisit
from schemas.errors import TidingsError, TryLater

_TITLE = "What it sends"
_LATER = 200
"""A message that cannot be made yet is nothing that went wrong."""


async def show(mine: ProjectVisit) -> web.Response:
    """The e-mail of a form's channel of that number. Raises TryLater."""
    form = await mine.visit.form(MOST_BYTES, MOST_FIELDS)
    asked = await begun(mine, Draft(text_of(form.get("yaml", ""))), None, CHANNELS)
    try:
        await asyncio.to_thread(drafts.read, asked.draft.text)
    except DraftWrong:
        return frames.failed(_TITLE, "The document cannot be read: see its YAML.")
    asked = await taken(replace(asked, form=form))
    found = {str(number): one for number, (name, one) in enumerate(channels_of(asked.values)) if name == "email"}
    source = found.get(mine.text("channel"))
    if source is None:
        return frames.failed(_TITLE, "There is no such e-mail.", 404)
    try:
        about = await about_of(asked)
        made = await _made(asked, source, about)
    except TryLater:
        raise
    except TidingsError as error:
        return frames.failed(_TITLE, f"It cannot be made yet: {why_not(error)}", _LATER)
    return _shown(made, about, mine.text("view"))


async def _made(asked: Asked, source: Mapping[str, Any], about: About) -> Preview:
    """The message, by whoever sends it."""
    mine, settings, account = asked.mine, asked.mine.wiring.settings, source["email"].get("account")
    names = [account] if isinstance(account, str) else []
    rendering = Rendering.of(settings, await shown_mailboxes(mine.pool, settings, mine.project_id, names))
    known = await distributions.known_to_drafts(mine.pool, mine.project_id)
    return await asyncio.to_thread(message_of, asked, "email", source, known, about, rendering)


def _shown(made: Preview, about: About, view: str) -> web.Response:
    names = ("subject", "from", "reply_to")
    facts = [(name.replace("_", " ").capitalize(), str(made.facts[name])) for name in names if name in made.facts]
    if about.whose:
        facts.append(("Profile", about.whose))
    text, html = str(made.facts.get("text", "")), made.facts.get("html")
    is_about_somebody = about.event is not None
    return frames.shown(_TITLE, facts, text, html, made.raw, is_about_somebody=is_about_somebody, view=view)


ROUTES: tuple[ProjectRoute, ...] = (ProjectRoute(MAIL_PATH, "distributions:write", show, "POST"),)
