"""The process of the pages for people who sign in: listen on an address of its own, and stop in order."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
from collections.abc import Callable

import structlog
import uvloop
from aiohttp import web

from agents.clock import utc_now
from agents.telemetry.logs import configure_logs
from agents.wiring import Wiring
from console.control.oidc.provider import Provider
from console.control.passwords import Passwords
from console.control.user_links import address_of_link, first_link
from console.http.access import log_access
from console.http.database import LateDatabase
from console.http.headers import add_headers
from console.http.health import health_routes
from console.http.serving import in_url, serve
from console.web.server import WebServer
from console.web.single_sign_on import CALLBACK_PATH, SIGNED_OUT_PATH
from console.web.visit import MOST_BYTES
from deploy.settings.settings import Settings
from schemas.errors import TryLater
from store.users import Users

log = structlog.get_logger()


def run_web(settings: Settings, announce: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; `announce` gets the address, and a link for the first admin where nobody is there.

    Raises CannotStart where it cannot listen.
    """
    configure_logs(settings.log_level, role="web")
    uvloop.run(_run(settings, announce))


async def _run(settings: Settings, announce: Callable[[str], None]) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    database, passwords, provider = LateDatabase(settings), Passwords(), provider_of(settings)
    pages = WebServer(Wiring(settings), database.pool, passwords, provider=provider)
    runner, port = await listen(settings, pages)
    url = settings.web.url or f"http://{in_url(settings.web.host)}:{port}"
    try:
        announce(f"Pages  {url}")
        await _announce_first_link(settings, database, url, announce)
        log.info("started", pid=os.getpid(), port=port, is_plain=settings.web.is_plain)
        await stopping.wait()
        log.info("stopping")
    finally:
        await runner.cleanup()
        if provider is not None:
            await provider.close()
        passwords.close()
        await database.close()
    log.info("stopped")


def provider_of(settings: Settings) -> Provider | None:
    """The OpenID provider of the settings, which nobody is asked for before somebody signs in by it."""
    if not settings.oidc.issuer:
        return None
    url = settings.web.url.rstrip("/")
    return Provider(settings.oidc, url + CALLBACK_PATH, utc_now, signed_out_uri=url + SIGNED_OUT_PATH)


async def _announce_first_link(
    settings: Settings, database: LateDatabase, url: str, announce: Callable[[str], None]
) -> None:
    """Print, and never log, how the first admin comes."""
    try:
        token = await first_link(Users(await database.pool()), settings.project_id, secrets.token_bytes)
    except TryLater:
        log.warning("no_first_link", effect="start again once Postgres answers, or use `tidings users add`")
        return
    if token is not None:
        link = address_of_link(url, token)
        announce(f"Nobody is here yet. The first admin comes by this link, once, within an hour:\n{link}")


async def listen(settings: Settings, server: WebServer) -> tuple[web.AppRunner, int]:
    """Listen; returns what to clean up and the port taken. Raises CannotStart naming the address."""
    return await serve(build_web(server), settings.web.host, settings.web.port, setting="web")


def build_web(server: WebServer) -> web.Application:
    """The pages as an aiohttp application."""
    app = web.Application(middlewares=[log_access, server.guard], client_max_size=MOST_BYTES)
    app.on_response_prepare.append(add_headers)
    app.on_shutdown.append(server.streams.stop)  # before answers under way are waited for
    app.on_cleanup.append(server.close)
    app.add_routes([*health_routes(), *server.routes()])
    return app
