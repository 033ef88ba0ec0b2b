"""A delivery: one message of one distribution to one customer over one channel."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from schemas.closed import ChannelName
from schemas.distribution import TemplateRef
from schemas.record import JsonObject, Record, doc


class DistributionRef(Record, frozen=True, kw_only=True):
    """The distribution and the version that decided."""

    id: str
    version: int
    name: str


class EventRef(Record, frozen=True, kw_only=True):
    """The event that caused it."""

    id: str
    type: str
    created_at: datetime


class Recipient(Record, frozen=True, kw_only=True):
    """Whom it is for."""

    id: str
    locale: str | None = None
    timezone: str | None = None


class _Delivery(Record, frozen=True, kw_only=True):
    """What every channel's delivery has."""

    delivery_id: Annotated[str, doc("The idempotency key: the same event and distribution always make the same id.")]
    project_id: str
    distribution: DistributionRef
    event: EventRef
    customer: Recipient
    account: Annotated[str, doc("The account it leaves through; for a webhook the endpoint's host.")]
    priority: int
    category: Annotated[str, doc("The consent category, or transactional.")]
    not_before: datetime | None = None
    expires_at: datetime | None = None
    data: Annotated[JsonObject, doc("The objects of the event, with the customer's profile that counted.")]


class WebhookAddress(Record, frozen=True, kw_only=True):
    """Where a webhook goes and under which name."""

    url: str
    type: str
    headers: dict[str, str] = {}
    payload: Annotated[JsonObject | None, doc("What goes out instead of `data`, where a payload was designed.")] = None
    envelope: Annotated[bool, doc("False: the payload alone is the body.")] = True


class EmailAddress(Record, frozen=True, kw_only=True):
    """Where an e-mail goes and what it says."""

    to: str
    name: str | None = None
    template: TemplateRef


class WebhookDelivery(_Delivery, frozen=True, kw_only=True):
    """A record of `deliveries.webhook`."""

    webhook: WebhookAddress

    @property
    def channel(self) -> ChannelName:
        """The way out."""
        return "webhook"


class EmailDelivery(_Delivery, frozen=True, kw_only=True):
    """A record of `deliveries.email`."""

    email: EmailAddress

    @property
    def channel(self) -> ChannelName:
        """The way out."""
        return "email"


Delivery = WebhookDelivery | EmailDelivery

DELIVERY_TYPES: dict[ChannelName, type[WebhookDelivery] | type[EmailDelivery]] = {
    "webhook": WebhookDelivery,
    "email": EmailDelivery,
}
"""Channel to the struct of its deliveries."""
