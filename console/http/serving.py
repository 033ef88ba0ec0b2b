"""The console's process: listen, and stop in order."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable

import structlog
import uvloop
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from agents.telemetry.logs import configure_logs
from console.control.callbacks import Callbacks
from console.control.subscriptions import Subscriptions
from console.control.tracking import TrackedVisits
from console.control.views import Views
from console.http.app import build_app
from console.http.database import LateDatabase
from deploy.settings.messages import Console
from deploy.settings.settings import Settings
from schemas.errors import CannotStart

log = structlog.get_logger()

DRAIN_SECONDS = 8.0
"""Seconds that requests under way may take after a signal to stop: within the usual 10 s of orchestrators."""

_KEEP_ALIVE_SECONDS = 75.0


def run_console(settings: Settings, announce: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT; `announce` gets the address. Raises CannotStart where it cannot listen."""
    configure_logs(settings.log_level, role="console")
    uvloop.run(_run(settings, announce))


async def _run(settings: Settings, announce: Callable[[str], None]) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    console, database = settings.console, LateDatabase(settings)
    has_database = bool(settings.postgres.dsn.reveal())
    callbacks = Callbacks(settings, database.pool) if has_database else None
    subscriptions = Subscriptions(settings, database.pool) if has_database else None
    views = Views(settings, database.pool) if has_database else None
    visits = TrackedVisits(settings, database.pool) if has_database else None
    runner, port = await listen(console, callbacks=callbacks, subscriptions=subscriptions, views=views, visits=visits)
    try:
        announce(f"http://{in_url(console.host)}:{port}")
        if not console.secrets:
            log.warning("no_secrets", effect="no link of a message is valid", setting="console.secrets")
        log.info("started", pid=os.getpid(), port=port, secrets=len(console.secrets), callbacks=callbacks is not None)
        await stopping.wait()
        log.info("stopping")
    finally:
        await runner.cleanup()
        await database.close()
    log.info("stopped")


async def listen(
    settings: Console,
    *,
    clock: Callable[[], float] = time.time,
    callbacks: Callbacks | None = None,
    subscriptions: Subscriptions | None = None,
    views: Views | None = None,
    visits: TrackedVisits | None = None,
) -> tuple[web.AppRunner, int]:
    """Listen; returns what to clean up and the port taken. Raises CannotStart naming the address."""
    app = build_app(settings, clock=clock, callbacks=callbacks, subscriptions=subscriptions, views=views, visits=visits)
    return await serve(app, settings.host, settings.port, setting="console")


async def serve(app: web.Application, host: str, port: int, *, setting: str) -> tuple[web.AppRunner, int]:
    """Listen with an application; returns what to clean up and the port taken. Raises CannotStart naming the address
    and the group of settings that it is from.
    """
    runner = web.AppRunner(
        app,
        auto_decompress=False,  # what is signed is the body as it came
        access_log=None,
        logger=_without_quotations(),
        keepalive_timeout=_KEEP_ALIVE_SECONDS,
        shutdown_timeout=DRAIN_SECONDS,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        await runner.cleanup()
        said = f"cannot listen on {host}:{port}: {error.strerror}"
        raise CannotStart(f"{setting}.host, {setting}.port: {said}") from error
    return runner, int(runner.addresses[0][1])


def _without_quotations() -> logging.Logger:
    """The library's complaints about what is not HTTP quote the request, and with it an address. Anyone can send such
    things, so they are no error of ours.
    """
    logger = logging.getLogger("console.http.server")
    logger.addFilter(_drop_traceback)
    return logger


def _drop_traceback(record: logging.LogRecord) -> bool:
    if record.exc_info and isinstance(record.exc_info[1], HttpProcessingError):
        record.levelno, record.levelname = logging.INFO, "INFO"
    record.exc_info = None
    return True


def in_url(host: str) -> str:
    """A host as an address has it."""
    return f"[{host}]" if ":" in host else host
