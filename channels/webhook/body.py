"""The body of a webhook: the envelope around the event's objects, or what its author designed."""

from __future__ import annotations

from typing import Any

from channels.codes.links import Links
from channels.payload import payload_variables, render_payload
from schemas.channels.webhook import WebhookDelivery
from schemas.events.triggers import began_in


def body_of(delivery: WebhookDelivery, links: Links) -> Any:
    """All that is posted, to be written as JSON. Raises RenderRefused."""
    address, data = delivery.webhook, delivery.data
    if address.payload is not None:
        data = render_payload(address.payload, payload_variables(delivery, links))
    return _envelope(delivery, data) if address.envelope else data


def _envelope(delivery: WebhookDelivery, data: Any) -> dict[str, Any]:
    """Source: the webhook channel of the old system, so that its receivers can stay as they are."""
    event, distribution = delivery.event, delivery.distribution
    return {
        "id": "whs_" + delivery.delivery_id.removeprefix("dlv_"),
        "project_id": delivery.project_id,
        "created_at": event.created_at,
        "type": delivery.webhook.type,
        "data": data,
        "source": {"id": distribution.id, "object": "distribution", "target_url": delivery.webhook.url},
        "event": {
            "id": event.id,
            "type": event.type,
            "created_at": event.created_at,
            "entity_id": delivery.customer.id,
            "group_id": event.id,
            "event_source": {"channel": began_in(event.type)},
        },
    }
