"""The console as an aiohttp application. A group of routes is a module with a function that returns them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from aiohttp import web

from agents.telemetry.metrics import Metrics
from console.control.callbacks import Callbacks
from console.http.access import log_access
from console.http.headers import add_headers
from console.http.health import health_routes, metrics_routes
from console.public.callbacks import callback_routes
from console.public.images import image_routes
from deploy.settings.messages import Console


def build_app(settings: Console, *, clock: Callable[[], float], callbacks: Callbacks | None = None) -> web.Application:
    """All routes. `clock` gives Unix seconds; without `callbacks` nothing can be reported here."""
    app = web.Application(middlewares=[log_access])
    app.on_response_prepare.append(add_headers)
    app.add_routes(health_routes())
    app.add_routes(image_routes([secret.reveal() for secret in settings.secrets], clock))
    if callbacks is not None:
        metrics = Metrics()
        app.add_routes(metrics_routes(metrics))
        app.add_routes(callback_routes(callbacks, metrics, lambda: datetime.fromtimestamp(clock(), UTC)))
    return app
