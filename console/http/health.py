"""`/healthz`: the process answers; it depends on no other server, so there is no more to say. `/metrics` beside it."""

from __future__ import annotations

from aiohttp import web

from agents.telemetry.metrics import Metrics


def health_routes() -> list[web.RouteDef]:
    """`/healthz`."""
    return [web.get("/healthz", _show)]


def metrics_routes(metrics: Metrics) -> list[web.RouteDef]:
    """`/metrics`, for Prometheus."""

    async def show(_: web.Request) -> web.Response:
        body, content_type = metrics.text()
        return web.Response(body=body, headers={"content-type": content_type})

    return [web.get("/metrics", show)]


async def _show(_: web.Request) -> web.Response:
    return web.Response(body=b'{"healthy":true}', content_type="application/json")
