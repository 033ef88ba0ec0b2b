"""The console as an aiohttp application. A group of routes is a module with a function that returns them."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from console.http.access import log_access
from console.http.headers import add_headers
from console.http.health import health_routes
from console.public.images import image_routes
from deploy.settings.messages import Console


def build_app(settings: Console, *, clock: Callable[[], float]) -> web.Application:
    """All routes. `clock` gives Unix seconds."""
    app = web.Application(middlewares=[log_access])
    app.on_response_prepare.append(add_headers)
    app.add_routes(health_routes())
    app.add_routes(image_routes([secret.reveal() for secret in settings.secrets], clock))
    return app
