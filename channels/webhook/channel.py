"""Webhook: a signed POST of the event's objects to the user's own address."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any, assert_never

import aiohttp
import msgspec
from yarl import URL

from channels.codes.links import Links, no_links, with_links
from channels.contract import shortened
from channels.http.replies import status_meaning
from channels.http.reply_heads import Exchange, HeadKeepingConnector
from channels.http.retry_after import retry_after_seconds
from channels.http.ssrf import PrivateAddress, connector_options, is_public, literal_address
from channels.webhook.payload import render_payload
from channels.webhook.signing import Signer
from schemas.channels.webhook import WebhookDelivery
from schemas.closed import ChannelName
from schemas.errors import RenderRefused
from schemas.events.triggers import began_in
from schemas.formats.hosts import HostRefused, ascii_url
from schemas.receipt import Accepted, Blocked, Deferred, Gone, Receipt, Refused, Throttled, Unanswered
from schemas.template import StoredTemplate

USER_AGENT = "Tidings/1 (+webhooks)"

OWN_HEADERS = {"content-type": "application/json", "user-agent": USER_AGENT}
"""What every request has beside the signatures."""


_SHOWN, _BODY_BYTES, _BODY_SECONDS = 100, 65_536, 0.5
"""Of a reply's body: what a log shows of it, and how much of it, for how long, is read at most."""
_LONGEST_LINE, _MOST_HEADERS = 65_536, 1000
_OF_THE_CONNECTION = (408, 421)
"""Said of a connection that was used before, these are about it, not about the request: some servers end one so."""
_NO_TIMEOUT = aiohttp.ClientTimeout(total=None)


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
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    def at_once(self, account: str) -> int | None:
        """As many as the settings allow."""
        return None

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
        """One POST, without following redirects. The status decides, whatever comes after it.

        A receiver may close a connection at rest just as the next request leaves: that one is asked again at once
        on a connection of its own. Where the receiver had it all the same, `webhook-id` tells it so.
        """
        signed = self._signer.headers(request.message_id, int(now.timestamp()), request.body)
        headers = {**request.headers, **signed, **OWN_HEADERS}
        exchange = Exchange()
        try:
            self._check_literal(request.url)
            async with asyncio.timeout(timeout):
                receipt = await self._post(self._session(), request, headers, exchange, now)
                if receipt is None:
                    exchange = Exchange()
                    receipt = await self._post(self._session(fresh=True), request, headers, exchange, now)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            return _unread(exchange, now) or _unanswered(error, timeout, is_connected=exchange.connected)
        return receipt or Unanswered("connection lost")

    async def _post(
        self,
        session: aiohttp.ClientSession,
        request: WebhookRequest,
        headers: dict[str, str],
        exchange: Exchange,
        now: datetime,
    ) -> Receipt | None:
        """None where the receiver had closed the connection before it saw the request."""
        exchange.follow()
        try:
            async with session.post(
                request.url, data=request.body, headers=headers, allow_redirects=False, timeout=_NO_TIMEOUT
            ) as response:
                if exchange.on_used_connection and response.status in _OF_THE_CONNECTION:
                    return None
                said = await _beginning(response)
                return _receipt(response.status, response.headers.get("retry-after"), said, now)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, ConnectionError):
            if exchange.on_used_connection and not exchange.answered:
                return None
            raise

    async def close(self) -> None:
        """Close the sessions."""
        for session in self._sessions.values():
            await session.close()

    def _check_literal(self, url: str) -> None:
        host = URL(url).host or ""
        literal = literal_address(host)
        if literal and not self._allow_private and not is_public(literal):
            raise PrivateAddress(f"{literal} is a private address")

    def _session(self, *, fresh: bool = False) -> aiohttp.ClientSession:
        """The one whose connections are used again; `fresh`: the one that opens another for each request."""
        if fresh not in self._sessions:
            options = connector_options(allow_private=self._allow_private)
            self._sessions[fresh] = aiohttp.ClientSession(
                connector=HeadKeepingConnector(limit=0, ttl_dns_cache=30, force_close=fresh, **options),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                max_line_size=_LONGEST_LINE,
                max_field_size=_LONGEST_LINE,
                max_headers=_MOST_HEADERS,
            )
        return self._sessions[fresh]


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


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    """The first bytes of a body, for the log alone, as they came. It is read on a little, so that the connection can be
    used again; what goes wrong meanwhile changes nothing.
    """
    beginning, read = b"", 0
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in response.content.iter_any():
                beginning += chunk[: _SHOWN - len(beginning)]
                read += len(chunk)
                if read > _BODY_BYTES:
                    break
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
        response.close()
    return b"" if "content-encoding" in response.headers else beginning


def _unread(exchange: Exchange, now: datetime) -> Receipt | None:
    """The receipt of a reply that could not be read to its end, where at least its status was."""
    return None if exchange.status is None else _receipt(exchange.status, exchange.retry_after, b"", now)


def _unanswered(error: Exception, timeout: float, *, is_connected: bool) -> Receipt:
    """No status came back: what that means for another try."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, PrivateAddress):
        return Refused(f"{cause}; allow it with sender.webhook_allow_private")
    if isinstance(error, aiohttp.InvalidURL):
        return Refused("the address is not valid")
    if isinstance(error, aiohttp.ClientConnectorCertificateError):  # a ValueError as well; it may be renewed in time
        why = getattr(error.certificate_error, "verify_message", error.certificate_error)
        return Deferred(shortened(f"cannot connect: the receiver's certificate is not trusted: {why}"))
    if isinstance(error, ValueError):
        return Refused(f"the request cannot be written: {type(error).__name__}")
    if isinstance(error, aiohttp.ClientConnectorError):
        return Deferred(shortened(f"cannot connect: {error.os_error.strerror or error.os_error}"))
    if isinstance(error, TimeoutError):
        missing = "answer" if is_connected else "connection"
        kind = Unanswered if is_connected else Deferred
        return kind(f"no {missing} within {timeout:g} s")
    kind = Unanswered if is_connected else Deferred
    return kind(shortened(f"connection lost: {type(error).__name__}"))


def _receipt(status: int, retry_after: str | None, said: bytes, now: datetime) -> Receipt:
    detail, meaning = f"HTTP {status}", status_meaning(status)
    match meaning.meaning:
        case "accepted":
            return Accepted(detail)
        case "later":
            return Deferred(detail, retry_after_seconds(retry_after, now))
        case "throttled":
            return Throttled(detail, retry_after_seconds(retry_after, now))
        case "blocked":
            return Blocked(f"{detail}: {meaning.why}")
        case "gone":
            return Gone(f"{detail}: {meaning.why}")
        case "refused":
            words = said.decode(errors="replace") if 400 <= status < 500 else meaning.why
            return Refused(shortened(f"{detail}: {words or meaning.why}"))
        case _:
            assert_never(meaning.meaning)
