"""All channels: their plans and their deliveries."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.channels.email import EmailDelivery, EmailPlan
from schemas.channels.webhook import WebhookDelivery, WebhookPlan
from schemas.closed import ChannelName
from schemas.delivery import Delivery

ChannelPlan = WebhookPlan | EmailPlan

DELIVERY_TYPES: Mapping[ChannelName, type[Delivery]] = {
    "webhook": WebhookDelivery,
    "email": EmailDelivery,
}
"""Channel to the struct of its deliveries."""
