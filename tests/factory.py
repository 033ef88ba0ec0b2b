"""Things that many tests need, valid unless told otherwise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.closed import CHANNELS
from schemas.distribution import Distribution
from schemas.events.event import Event
from schemas.template import StoredTemplate
from streams.channels.template_files import TemplateFiles
from streams.documents.distribution import DefinitionContext, parse_definition
from streams.event_context import EventContext
from streams.events import read_event
from streams.index.rules import RuleIndex
from streams.match import match_event

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

CONTEXT = DefinitionContext(
    project_id="shop",
    version=1,
    now=NOW,
    accounts=dict.fromkeys(CHANNELS, ("main",)),
    templates={"hello": TemplateFiles("hi", "<b>hi</b>")},
)

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
"""That webhooks are signed with."""
TEMPLATE = StoredTemplate(
    name="hello", subject="Hi {{ customer.name }}", text="Order {{ order.id }}", html="<b>{{ customer.name }}</b>"
)


def customer(**fields: Any) -> dict[str, Any]:
    """A profile that consents to marketing and has an address."""
    return {"id": "c1", "name": "Jo", "email": "jo@example.com", "consents": {"marketing": True}, **fields}


def order_event(**changes: Any) -> dict[str, Any]:
    """A paid order as upstream publishes it."""
    data = {"customer": customer(), "order": {"id": "o1", "amount": 5000, "items": [{"sku": "GIFT-1", "price": 100}]}}
    base = {
        "id": "ev1",
        "project_id": "shop",
        "type": "customer.order.paid",
        "created_at": NOW.isoformat(),
        "data": data,
    }
    return {**base, **changes}


def event(**changes: Any) -> Event:
    """The same, as a record."""
    import msgspec

    return msgspec.convert(order_event(**changes), Event)


def context(profile: dict[str, Any] | None = None, **changes: Any) -> EventContext:
    """The same, as it comes to the matcher, with a row of the customer table where there is one."""
    import msgspec

    decoded = order_event(**changes)
    key = decoded["data"]["customer"]["id"].encode()
    head = read_event(decoded, "events.orders", key, now=NOW, max_future=timedelta(days=1), default_project="shop")
    return EventContext(head, decoded, dict, None if profile is None else msgspec.json.encode(profile))


def definition(**changes: Any) -> dict[str, Any]:
    """A distribution on paid orders, over a webhook."""
    base: dict[str, Any] = {
        "distribution": "thanks",
        "trigger": {"event": "customer.order.paid"},
        "consent": "marketing",
        "channels": [{"webhook": {"url": "https://hooks.example.com/x", "type": "thanks"}}],
    }
    return {**base, **changes}


def rule(**changes: Any) -> Distribution:
    """The same, parsed."""
    return parse_definition(definition(**changes), CONTEXT).distribution


def delivery(channel: str, profile: dict[str, Any] | None = None, url: str = "https://hooks.example.com/x") -> Any:
    """The delivery that the same sends over one channel to one customer."""
    body = {
        "webhook": {"webhook": {"url": url, "type": "thanks", "headers": {"x-team": "a"}}},
        "email": {"email": {"account": "main", "subject": "s", "text": "t"}},
        "sms": {"sms": {"account": "main", "text": "t"}},
    }
    index = RuleIndex()
    index.insert(rule(channels=[body[channel]]))
    if channel == "sms" and profile is None:
        profile = customer(phone="+48600100200")
    (made,) = match_event(context(profile), index, NOW).deliveries
    return made
