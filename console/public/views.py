"""`/view/<token>`: an e-mail in the browser, as it was sent. It needs no script, and gets none.

A link that proves nothing, and one whose message is erased or too old, get the same answer, so that nobody learns from
it. The page is its author's and may not do anything here: it is sandboxed, sends no form, and stands in no frame.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog
from aiohttp import web

from channels.viewed import VIEW_PATH, viewed_of
from console.control.views import Views
from console.public.own_page import page, words_for
from schemas.errors import TryLater

log = structlog.get_logger()

_RETRY_AFTER = "60"
_HEADERS = {
    "content-security-policy": "default-src 'none'; img-src https: http: data:; style-src 'unsafe-inline' https:;"
    " font-src https: data:; form-action 'none'; frame-ancestors 'none'; base-uri 'none';"
    " sandbox allow-popups allow-popups-to-escape-sandbox",
    "x-robots-tag": "noindex",
}


def view_routes(views: Views, secrets: Sequence[str]) -> list[web.RouteDef]:
    """GET and HEAD of a message. `secrets` prove links."""

    async def show(request: web.Request) -> web.Response:
        words = words_for(request, "")
        viewed = viewed_of(request.match_info["token"], secrets)
        try:
            shown = await views.page(viewed) if viewed else None
        except TryLater as error:
            log.warning("message_not_shown", why=str(error))
            response = page(request, words, 503, title=words.later_title, lines=[words.later_shown])
            response.headers["retry-after"] = _RETRY_AFTER
            return response
        if shown is None:
            return page(request, words, 404, title=words.gone_title, lines=[words.gone_line])
        return web.Response(text=shown, content_type="text/html", headers=_HEADERS)

    return [web.get(VIEW_PATH + "{token}", show)]
