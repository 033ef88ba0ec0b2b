"""Pages of our own, in the customer's language: no script, and nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import minijinja
from aiohttp import web

from console.public.subscription_words import WORDS, Words
from schemas.formats.languages import taken

_MOST_LANGUAGES = 10

_PAGES = Path(__file__).parent / "pages"
_STYLE = (_PAGES / "subscriptions.css").read_text(encoding="utf-8")
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "content-security-policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self';"
    " frame-ancestors 'none'; base-uri 'none'",
    "x-robots-tag": "noindex",
}
_PAGE = (_PAGES / "subscriptions.html").read_text(encoding="utf-8")
_ENVIRONMENT = minijinja.Environment(
    templates={"page.html": _PAGE}, undefined_behavior="strict", auto_escape_callback=lambda _: "html"
)
_NOTHING: dict[str, object] = {
    "brand": "",
    "lines": [],
    "buttons": [],
    "boxes": [],
    "legend": "",
    "save": "",
    "link": None,
    "action": "",
}


def page(request: web.Request, words: Words, status: int, **parts: object) -> web.Response:
    """The page with these parts, and without the others."""
    language = next(tag for tag, one in WORDS.items() if one is words)
    page = {**_NOTHING, "language": language, "style": _STYLE, "action": request.match_info["token"], **parts}
    body = _ENVIRONMENT.render_template("page.html", **page)
    return web.Response(
        status=status, text=body, content_type="text/html", headers={**_HEADERS, "content-language": language}
    )


def words_for(request: web.Request, locale: str) -> Words:
    """Those of the browser's first language that there is, else of the brand's own, else English."""
    asked = [part.partition(";")[0].strip() for part in request.headers.get("accept-language", "").split(",")]
    found = (taken(WORDS, one) for one in (*asked[:_MOST_LANGUAGES], locale, "en"))
    return WORDS[next(filter(None, found))]
