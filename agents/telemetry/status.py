"""`/metrics` and `/healthz` of a process that nobody else calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
from aiohttp import web

from agents.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Health:
    """The answer of `/healthz`.

    `stalled_seconds` is how long the slowest has not moved; `stalled` names the sick, `waits_for` what is away.
    """

    healthy: bool
    status: str
    lag: dict[str, int] = field(default_factory=dict)
    stalled_seconds: float = 0.0
    stalled: list[str] = field(default_factory=list)
    waits_for: list[str] = field(default_factory=list)


async def serve_status(
    host: str, port: int, metrics: Metrics, health: Callable[[], Health]
) -> tuple[web.AppRunner, int]:
    """Listen on `host`:`port` (0 takes a free one); returns what to clean up and the port taken."""

    async def show_metrics(_: web.Request) -> web.Response:
        body, content_type = metrics.text()
        return web.Response(body=body, headers={"content-type": content_type})

    async def show_health(_: web.Request) -> web.Response:
        now = health()
        status = 200 if now.healthy else 503
        return web.Response(body=msgspec.json.encode(now), status=status, content_type="application/json")

    app = web.Application()
    app.add_routes([web.get("/metrics", show_metrics), web.get("/healthz", show_health)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner, int(runner.addresses[0][1])
