"""The console as an aiohttp application. A group of routes is a module with a function that returns them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from aiohttp import web

from agents.telemetry.metrics import Metrics
from console.control.callbacks import Callbacks
from console.control.subscriptions import Subscriptions
from console.control.tracking import TrackedVisits
from console.control.views import Views
from console.http.access import log_access
from console.http.headers import add_headers
from console.http.health import health_routes, metrics_routes
from console.public.callbacks import callback_routes
from console.public.images import image_routes
from console.public.subscriptions import subscription_routes
from console.public.tracking import Tracker
from console.public.views import view_routes
from deploy.settings.messages import Console


def build_app(
    settings: Console,
    *,
    clock: Callable[[], float],
    callbacks: Callbacks | None = None,
    subscriptions: Subscriptions | None = None,
    views: Views | None = None,
    visits: TrackedVisits | None = None,
) -> web.Application:
    """All routes. `clock` gives Unix seconds; without `callbacks` nothing can be reported here, without
    `subscriptions` nobody leaves, without `views` no message is shown, without `visits` nothing is tracked.
    """
    app = web.Application(middlewares=[log_access])
    app.on_response_prepare.append(add_headers)
    app.add_routes(health_routes())
    secrets = [secret.reveal() for secret in settings.secrets]
    app.add_routes(image_routes(secrets, clock))
    if subscriptions is not None:
        app.add_routes(subscription_routes(subscriptions, secrets))
    if views is not None:
        app.add_routes(view_routes(views, secrets))
    metrics = Metrics()
    if visits is not None:
        tracker = Tracker(visits, secrets, metrics, lambda: datetime.fromtimestamp(clock(), UTC))
        app.add_routes(tracker.routes())
        app.on_cleanup.append(tracker.close)  # behind the last answer
    if callbacks is not None or visits is not None:
        app.add_routes(metrics_routes(metrics))
    if callbacks is not None:
        app.add_routes(callback_routes(callbacks, metrics, lambda: datetime.fromtimestamp(clock(), UTC)))
    return app
