"""The API's process: listen on an address of its own, and stop in order."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable

import structlog
import uvloop
from aiohttp import web

from agents.clock import utc_now
from agents.interpreter import settle
from agents.telemetry.logs import configure_logs
from agents.telemetry.metrics import Metrics
from agents.wiring import Wiring
from console.api.server import ApiServer
from console.http.database import LateDatabase
from console.http.headers import add_headers
from console.http.health import health_routes, metrics_routes
from console.http.long_work import LongWork
from console.http.serving import in_url, serve
from deploy.settings.settings import Settings

log = structlog.get_logger()


def run_api(settings: Settings, announce: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; `announce` gets the address. Raises CannotStart where it cannot listen."""
    configure_logs(settings.log_level, role="api")
    uvloop.run(_run(settings, announce))


async def _run(settings: Settings, announce: Callable[[str], None]) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    database = LateDatabase(settings)
    wiring = Wiring(settings)
    server = ApiServer(wiring, database.pool, Metrics(), utc_now)
    runner, port = await listen(settings, server)
    work = LongWork(wiring, utc_now)
    work.start()
    settle()
    try:
        announce(f"http://{in_url(settings.api.host)}:{port}/api/v1")
        log.info("started", pid=os.getpid(), port=port)
        await stopping.wait()
        log.info("stopping")
    finally:
        await runner.cleanup()
        await work.stop()
        await server.close()
        await database.close()
    log.info("stopped")


async def listen(settings: Settings, server: ApiServer) -> tuple[web.AppRunner, int]:
    """Listen; returns what to clean up and the port taken. Raises CannotStart naming the address."""
    return await serve(build_api(server), settings.api.host, settings.api.port, setting="api")


def build_api(server: ApiServer) -> web.Application:
    """The API as an aiohttp application."""
    app = web.Application(middlewares=[server.answer])
    app.on_response_prepare.append(add_headers)
    app.add_routes([*health_routes(), *metrics_routes(server.metrics), *server.routes()])
    return app
