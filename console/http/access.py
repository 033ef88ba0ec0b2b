"""One line in the log for each request: which route, never what stands in its variable parts, query or headers."""

from __future__ import annotations

import re
import time

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

log = structlog.get_logger()

_VARIABLE = re.compile(r"\{[^}]*\}")


@web.middleware
async def log_access(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer and log. What nobody expected becomes a plain 500; its kind is logged, not its words."""
    started = time.perf_counter()
    try:
        response = await handler(request)
    except web.HTTPException as error:
        _log(request, error.status, started)
        raise
    except Exception as error:
        # the library would log a traceback, with whatever that quotes
        log.error("request_failed", path=route_path(request), error=type(error).__name__)
        response = web.Response(status=500, text="500: Internal Server Error")
    _log(request, response.status, started)
    return response


def route_path(request: web.Request) -> str:
    """A path that gives nothing away: `/codes/qr/…`; `…` where there is no such route."""
    resource = request.match_info.route.resource
    return "…" if resource is None else _VARIABLE.sub("…", resource.canonical)


def _log(request: web.Request, status: int, started: float) -> None:
    took = round((time.perf_counter() - started) * 1000, 1)
    log.info("request", method=request.method, path=route_path(request), status=status, ms=took)
