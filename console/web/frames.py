"""Messages in frames: a page of its own with a policy of its own, in which nothing runs and no link leads anywhere."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from typing import get_args

from aiohttp import web

from console.control.preview.pictures import with_pictures
from console.web.pages import respond
from console.web.project_templates import PanePage, View

_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'{elsewhere}; img-src data:{elsewhere}; font-src data:{elsewhere};"
    " form-action 'none'; base-uri 'none'; frame-ancestors 'self'; sandbox"
)
"""An e-mail has styles and pictures of its own; scripts, forms and frames of others it has not.

What it shows of a customer nobody else learns by it: the address of a picture may say anything of them.
"""
_ELSEWHERE, _NOBODY = " https: http:", "Pictures from elsewhere are left out: it is about somebody."
_HEAD = re.compile(r"<head[^>]*>", re.IGNORECASE)
_VIEWS: Mapping[str, View] = {one: one for one in get_args(View)}
_NOWHERE = '<base target="_blank">'
"""A frame that may open no window: so its links are dead."""


def shown(
    title: str,
    facts: Sequence[tuple[str, str]],
    text: str,
    html: str | None = None,
    raw: bytes = b"",
    *,
    is_about_somebody: bool = False,
    view: str = "",
) -> web.Response:
    """A message; `raw` is the whole mail, of which the pictures are taken. About a customer it asks no other server.

    `view` is one of `View`; with any other text it is shown in every way.
    """
    if html is not None and raw:
        html = with_pictures(html, email.message_from_bytes(raw, _class=EmailMessage, policy=email.policy.default))
    told = [*facts, ("Note", _NOBODY)] if html is not None and is_about_somebody else facts
    page = PanePage(title=title, facts=told, text=text, html=html and _inert_links(html), view=_VIEWS.get(view, ""))
    return respond(page, policy=_POLICY.format(elsewhere="" if is_about_somebody else _ELSEWHERE))


def failed(title: str, why: str, status: int = 422) -> web.Response:
    """The reason why there is no message to show."""
    return respond(PanePage(title=title, failure=why), status, policy=_POLICY.format(elsewhere=""))


def _inert_links(html: str) -> str:
    head = _HEAD.search(html)
    return html[: head.end()] + _NOWHERE + html[head.end() :] if head else _NOWHERE + html
