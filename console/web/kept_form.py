"""A form that comes after its session has ended: what was typed is on the answer, to be sent once more.

Whoever typed it signs in beside it. What is secret is on no page, and files cannot be: these are said to be lost. Who
sends it again is judged then, whoever they are; nothing of it is kept here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from aiohttp import web

from console.web.pages import Page, respond, see
from console.web.visit import BODY_SECONDS, LOST, UNSHOWN

MOST_BYTES = 1024 * 1024
"""Of a form of nobody."""
_MOST_FIELDS = 1_000
_OF_A_PROJECT = "/p/"
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFormPage(Page):
    """The fields of a form, to be sent to `path` again; `lost` are those that have to be given anew."""

    template: ClassVar[str] = "kept_form.html"
    title: str = "You are signed out"
    path: str
    kind: str
    fields: Sequence[tuple[str, str]]
    lost: Sequence[str]


async def kept(request: web.Request) -> web.Response:
    """The form of a request without a session; the page to sign in where there is nothing to keep."""
    if request.content_type not in _FORMS or not request.path.startswith(_OF_A_PROJECT):
        return see("/sign-in")
    sized = request.clone(client_max_size=MOST_BYTES, client_max_fields=_MOST_FIELDS)
    fields, lost = dict[str, str](), list[str]()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            for name, value in (await sized.post()).items():
                if isinstance(value, web.FileField):
                    value.file.close()
                    lost += [name] if value.filename else []
                elif isinstance(value, str) and name.startswith(UNSHOWN):
                    lost += [name.removeprefix(UNSHOWN)] if value else []
                elif isinstance(value, str):
                    fields[name] = value
    except (TimeoutError, ValueError, web.HTTPRequestEntityTooLarge):
        return see("/sign-in")
    if not any(fields.values()):
        return see("/sign-in")
    fields.pop(LOST, None)
    words = [one.replace("_", " ") for one in lost]
    page = KeptFormPage(path=request.path_qs, kind=request.content_type, fields=list(fields.items()), lost=words)
    return respond(page, 401)
