"""`/healthz`: the process answers. It depends on no other server, so there is nothing more to say."""

from __future__ import annotations

from aiohttp import web


def health_routes() -> list[web.RouteDef]:
    """`/healthz`."""
    return [web.get("/healthz", _show)]


async def _show(_: web.Request) -> web.Response:
    return web.Response(body=b'{"healthy":true}', content_type="application/json")
