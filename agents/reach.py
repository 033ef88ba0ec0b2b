"""The places that webhooks may go to, by the settings."""

from __future__ import annotations

from channels.http.ssrf import Reach
from deploy.settings.workers import Sender


def reach_of(settings: Sender) -> Reach:
    """For all channels over HTTP of a deployment."""
    return Reach.of(
        private=settings.webhook_allow_private,
        networks=settings.webhook_private_networks,
        http=settings.webhook_allow_http,
        ports=settings.webhook_ports,
    )
