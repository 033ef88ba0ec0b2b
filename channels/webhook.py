"""Webhook: a signed POST of the event's objects to the user's own address."""

from __future__ import annotations

import email.utils
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import aiohttp
import msgspec
from yarl import URL

from channels.addresses import PrivateAddress, connector_options, is_public, literal_address
from channels.code_links import Links, no_links, with_links
from channels.contract import Accepted, Deferred, Receipt, Refused, shortened
from channels.payload import render_payload
from channels.signing import Signer
from schemas.closed import ChannelName
from schemas.delivery import WebhookDelivery
from schemas.errors import RenderRefused
from schemas.hosts import HostRefused, ascii_url
from schemas.template import StoredTemplate
from schemas.triggers import began_in

USER_AGENT = "Tidings/1 (+webhooks)"

OWN_HEADERS = {"content-type": "application/json", "user-agent": USER_AGENT}
"""What every request has beside the signatures."""


_LATER = frozenset({408, 425, 429, 500, 502, 503, 504})
_READ = 2048


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """What is posted where; signatures are added by each attempt, since they carry its time."""

    url: str
    message_id: str
    headers: dict[str, str]
    body: bytes


class Webhook:
    """One HTTP session for the whole process. `max_bytes` bounds a body."""

    name: ChannelName = "webhook"

    def __init__(self, signer: Signer, *, allow_private: bool, max_bytes: int, links: Links = no_links) -> None:
        self._links = links
        self._signer = signer
        self._allow_private = allow_private
        self._max_bytes = max_bytes
        self._session: aiohttp.ClientSession | None = None

    def render(self, delivery: WebhookDelivery, template: StoredTemplate | None = None) -> WebhookRequest:
        """The envelope as JSON, or what was designed. Nothing in it depends on when or how often it is sent."""
        body = msgspec.json.encode(_body(delivery, self._links))
        if len(body) > self._max_bytes:
            said = f"the body has {len(body)} bytes, at most {self._max_bytes} are sent"
            raise RenderRefused("limit", said)
        address = delivery.webhook
        try:
            url = ascii_url(address.url)
        except HostRefused as error:
            raise RenderRefused("no_address", str(error)) from error
        return WebhookRequest(url, delivery.delivery_id, address.headers, body)

    async def send(self, request: WebhookRequest, *, timeout: float, now: datetime) -> Receipt:
        """One POST, without following redirects."""
        signed = self._signer.headers(request.message_id, int(now.timestamp()), request.body)
        headers = {**request.headers, **signed, **OWN_HEADERS}
        try:
            self._check_literal(request.url)
            async with self._open().post(
                request.url,
                data=request.body,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=timeout),
            ) as response:
                said = await response.content.read(_READ)
                return _receipt(response, said, now)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return _unanswered(error, timeout)

    async def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()

    def _check_literal(self, url: str) -> None:
        host = URL(url).host or ""
        literal = literal_address(host)
        if literal and not self._allow_private and not is_public(literal):
            raise PrivateAddress(f"{literal} is a private address")

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            options = connector_options(allow_private=self._allow_private)
            connector = aiohttp.TCPConnector(limit=0, ttl_dns_cache=30, **options)
            self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        return self._session


def _body(delivery: WebhookDelivery, links: Links) -> Any:
    address = delivery.webhook
    data = delivery.data if address.payload is None else render_payload(address.payload, _variables(delivery, links))
    return _envelope(delivery, data) if address.envelope else data


def _variables(delivery: WebhookDelivery, links: Links) -> dict[str, Any]:
    """What a payload may name: the event's objects, and of the envelope what they leave free."""
    event, distribution = delivery.event, delivery.distribution
    return {
        "event": {"id": event.id, "type": event.type, "created_at": event.created_at},
        "distribution": {"id": distribution.id, "version": distribution.version, "name": distribution.name},
        "delivery_id": delivery.delivery_id,
        **with_links(delivery.data, links),
    }


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


def _unanswered(error: Exception, timeout: float) -> Receipt:
    """No status came back: what that means for another try."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, PrivateAddress):
        return Refused(f"{cause}; allow it with sender.webhook_allow_private")
    if isinstance(error, aiohttp.InvalidURL):
        return Refused("the address is not valid")
    if isinstance(error, aiohttp.ClientConnectorError):
        return Deferred(shortened(f"cannot connect: {error.os_error.strerror or error.os_error}"))
    if isinstance(error, TimeoutError):
        return Deferred(f"no answer within {timeout:g} s", possibly_accepted=True)
    return Deferred(shortened(f"connection lost: {type(error).__name__}"), possibly_accepted=True)


def _receipt(response: aiohttp.ClientResponse, said: bytes, now: datetime) -> Receipt:
    status = response.status
    detail = f"HTTP {status}"
    if 200 <= status < 300:
        return Accepted(detail)
    if status in _LATER:
        return Deferred(detail, _retry_after(response.headers.get("retry-after"), now))
    if 300 <= status < 400:
        return Refused(f"{detail}: redirects are not followed; use the final address")
    if status == 410:
        return Refused(f"{detail}: the receiver is gone for good", pause_destination=True)
    if status in (401, 403):
        return Deferred(f"{detail}: the receiver does not accept us", pause_destination=True)
    return Refused(shortened(f"{detail} {said[:100].decode(errors='replace')}") if said else detail)


def _retry_after(header: str | None, now: datetime) -> float | None:
    """Seconds, written as a number or as an HTTP date."""
    if not header:
        return None
    if header.strip().isdigit():
        return float(header)
    try:
        when = email.utils.parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, (when.astimezone(now.tzinfo) - now).total_seconds())
