"""Requests that another site has a browser send, and the cookie by which a session is known."""

from __future__ import annotations

from urllib.parse import urlsplit

from aiohttp import web

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_OURS = frozenset({"same-origin", "none"})
_SECURE, _PLAIN = "__Host-tidings", "tidings"
"""Browsers take the first one over TLS alone, from this very host; without TLS it cannot be set."""


def is_forged(request: web.Request) -> bool:
    """True of a change that did not come from a page of ours. Source: Fetch Metadata; what says nothing is refused.

    `Sec-Fetch-Site` goes first: a page that sends no referrer has its own forms come with `Origin: null`.
    """
    if request.method in _SAFE:
        return False
    sites = request.headers.getall("sec-fetch-site", [])
    if sites:
        return any(site not in _OURS for site in sites)
    origins, hosts = request.headers.getall("origin", []), request.headers.getall("host", [])
    return len(origins) != 1 or len(hosts) != 1 or _host_of(origins[0]) != hosts[0].lower()


def _host_of(origin: str) -> str:
    try:
        parts = urlsplit(origin)
    except ValueError:
        return ""
    return parts.netloc.lower() if parts.scheme in ("http", "https") else ""


def is_from_a_page_of_ours(request: web.Request) -> bool:
    """True of a request, safe or not, that a browser says comes from a page of ours."""
    return request.headers.getall("sec-fetch-site", []) == ["same-origin"]


class TokenCookie:
    """The cookie with a session's token, or with another's that `suffix` names.

    Without TLS, which is for this machine alone, it has a name of its own.
    """

    def __init__(self, *, is_plain: bool, suffix: str = "") -> None:
        self._is_plain = is_plain
        self.name = (_PLAIN if is_plain else _SECURE) + suffix

    def read(self, request: web.Request) -> str:
        """The token that a browser brings; empty for none."""
        return request.cookies.get(self.name, "")

    def keep(self, response: web.Response, token: str) -> None:
        """Have the browser bring it from now on, until it is closed."""
        response.set_cookie(self.name, token, path="/", httponly=True, samesite="Lax", secure=not self._is_plain)

    def forget(self, response: web.Response) -> None:
        """Have the browser forget it."""
        response.del_cookie(self.name, path="/", httponly=True, samesite="Lax", secure=not self._is_plain)
