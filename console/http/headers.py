"""Headers of every answer, for browsers: guess no types, load nothing, tell no other site the address."""

from __future__ import annotations

from aiohttp import web

_HEADERS = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


async def add_headers(_: web.Request, response: web.StreamResponse) -> None:
    """A route may say otherwise: what it has set stays."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["server"] = "tidings"
