"""The variables of a message's template, as every channel without pages of its account's own has them."""

from __future__ import annotations

from channels.codes.links import Links, with_links
from channels.unsubscribe import UnsubscribeLinks
from schemas.delivery import Delivery
from schemas.record import JsonObject


def message_variables(delivery: Delivery, links: Links, unsubscribe: UnsubscribeLinks) -> JsonObject:
    """The event's objects, the envelope, and the links by which the customer leaves."""
    event, distribution = delivery.event, delivery.distribution
    return {
        "event": {"id": event.id, "type": event.type, "created_at": event.created_at.isoformat()},
        **with_links(delivery.data, links),
        "distribution": {"id": distribution.id, "name": distribution.name},
        "delivery_id": delivery.delivery_id,
        "category": delivery.category,
        **unsubscribe.of(delivery),
    }
